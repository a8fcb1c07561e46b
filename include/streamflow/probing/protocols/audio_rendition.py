"""Audio renditions: tracks in segments of their own, which HLS and DASH send beside the video (RFC 8216, 4.3.4.1).

They are measured as the tracks inside the video's segments are.
"""

from __future__ import annotations

import io

import av
from av.error import FFmpegError

from streamflow.probing.media import demuxer
from streamflow.probing.media.measurement import Measurement
from streamflow.probing.media.part import LISTEN_EVERY
from streamflow.probing.media.selection import track
from streamflow.probing.media.timing import Clock


def measure(data: bytes, language: str | None, found: Measurement) -> str | None:
    """Add the audio in ``data`` to the measurement of the video.

    :param data: the joined segments of the rendition.
    :param language: its language by the playlist, for tracks that name none.
    :returns: why the audio cannot be read, None when it can.
    """
    clock, heard_at, step = Clock(), float("-inf"), LISTEN_EVERY
    try:
        with demuxer.open_container(io.BytesIO(data)) as container:
            audio = container.streams.best("audio")
            if not isinstance(audio, av.AudioStream):
                return "no audio in the segments of the audio"
            audio.codec_context.thread_count = 1
            tick = float(audio.time_base or 0)
            for packet in demuxer.packets(container):
                if packet.stream_index != audio.index or not packet.size:
                    continue
                clock.take(None if packet.dts is None else packet.dts * tick, packet.size)
                if clock.media_s - heard_at >= step:
                    heard_at = clock.media_s
                    for frame in audio.decode(packet):
                        found.levels.hear(frame, clock.media_s)
            described = track(audio)
            layout = audio.codec_context.layout.name if audio.codec_context.channels else None
    except (FFmpegError, ValueError) as error:
        return f"the segments of the audio cannot be read: {type(error).__name__}"
    found.audio.append(described.model_copy(update={"language": described.language or language}))
    found.audio_layouts.append(layout)
    found.audio_kbps = clock.kbps()
    if found.bitrate_kbps and clock.media_s:
        found.bitrate_kbps += len(data) * 8 / 1000 / clock.media_s
    return None
