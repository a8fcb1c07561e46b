"""Audio renditions: tracks in segments of their own, which HLS and DASH send beside the video (RFC 8216, 4.3.4.1).

They are measured as the tracks inside the video's segments are.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import av
from av.error import FFmpegError

from streamflow.probing.media import demuxer
from streamflow.probing.media.audio import AudioLevels
from streamflow.probing.media.measurement import Measurement
from streamflow.probing.media.part import LISTEN_EVERY
from streamflow.probing.media.selection import track
from streamflow.probing.media.timing import Clock
from streamflow.records import AudioTrack


@dataclass(frozen=True)
class Sound:
    """The figures of a rendition.

    :param track: its description; None where the sound cannot be read.
    :param failure: why it cannot be read, None when it can.
    :param media_s: its seconds.
    :param kbps: the bitrate of its frames, ``segment_kbps`` that of its segments.
    """

    track: AudioTrack | None = None
    failure: str | None = None
    layout: str | None = None
    levels: AudioLevels = field(default_factory=AudioLevels)
    media_s: float = 0.0
    kbps: float | None = None
    segment_kbps: float = 0.0

    def add_to(self, found: Measurement) -> None:
        """Add the sound to the measurement of the video."""
        if self.track is None:
            return
        found.audio, found.audio_layouts = [self.track], [self.layout]
        found.levels, found.audio_kbps = self.levels, self.kbps
        if found.bitrate_kbps:
            found.bitrate_kbps += self.segment_kbps


def measure(data: bytes, language: str | None) -> Sound:
    """Return the figures of the audio in ``data``.

    :param data: the joined segments of the rendition.
    :param language: its language by the playlist, for tracks that name none.
    """
    clock, levels, heard_at, step = Clock(), AudioLevels(), float("-inf"), LISTEN_EVERY
    try:
        with demuxer.open_container(io.BytesIO(data)) as container:
            audio = container.streams.best("audio")
            if not isinstance(audio, av.AudioStream):
                return Sound(failure="no audio in the segments of the audio")
            audio.codec_context.thread_count = 1
            tick = float(audio.time_base or 0)
            for packet in demuxer.packets(container):
                if packet.stream_index != audio.index or not packet.size:
                    continue
                clock.take(None if packet.dts is None else packet.dts * tick, packet.size)
                if clock.media_s - heard_at >= step:
                    heard_at = clock.media_s
                    for frame in audio.decode(packet):
                        levels.hear(frame, clock.media_s)
            described = track(audio)
            layout = audio.codec_context.layout.name if audio.codec_context.channels else None
    except (FFmpegError, ValueError) as error:
        return Sound(failure=f"the segments of the audio cannot be read: {type(error).__name__}")
    return Sound(
        described.model_copy(update={"language": described.language or language}),
        layout=layout,
        levels=levels,
        media_s=clock.media_s,
        kbps=clock.kbps(),
        segment_kbps=len(data) * 8 / 1000 / clock.media_s if clock.media_s else 0.0,
    )
