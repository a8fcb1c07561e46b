"""Analyzer: all packets demuxed, key pictures and a part of the sound decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from streamflow.probing.media import timing
from streamflow.probing.media.early_stop import can_stop_early
from streamflow.probing.media.measurement import Measurement
from streamflow.probing.media.programs import DOLBY_VISION
from streamflow.probing.media.selection import Selection, container_name, select, subtitle, track
from streamflow.probing.media.timing import Clock, Mark
from streamflow.probing.media.video import VideoAnalyzer

# The demuxers that a feed of bytes may choose: none that opens further files or addresses by itself.
FORMATS = "mpegts,flv,mov,matroska,aac,mp3,ac3,eac3,ogg,flac,mpeg,h264,hevc,mpegvideo,asf,wav,loas,ivf,avi"
# Find out about the streams from at most so much; what is read for it is measured as well.
OPTIONS = {
    "probesize": "3000000",
    "analyzeduration": "1500000",
    "fpsprobesize": "0",
    "format_whitelist": FORMATS,
    "protocol_whitelist": "",
    "max_streams": "100",
    # What is of no known kind after so many bytes is none.
    "formatprobesize": "131072",
}
# In a sample description of ISO media (ISO/IEC 14496-12): Dolby Vision's configuration.
DOLBY_VISION_BOXES = (b"dvcC", b"dvvC", b"dvwC")
# A first key frame may take so long from the first byte.
FIRST_PICTURE_SECONDS = 10.0
SOUND_EVERY = 0.2
# More pieces of sound than this of one sample tell nothing more.
SOUNDS = 60
# A programme without video is looked at for so long, unless it is radio.
SOUND_ONLY_SECONDS = 0.8
# A source that sends this much faster than real time is a file: its sample ends by media time.
AHEAD_SECONDS = 6.0
# More than any medium needs (an Ultra HD Blu-ray's most is 128 Mbit/s): what comes without time stamps is bounded too.
MOST_BYTES_PER_SECOND = 16_000_000
GRACE_SECONDS = 2.0
PROGRESS_SECONDS = 1.0
SETTLE_EVERY = 0.5

OnProgress = Callable[[float, int, int | None, int | None, str], None]


class Source(Protocol):
    """Where the packets come from: how much has come and when, and until when there is more. Times are monotonic."""

    started: float
    deadline: float

    @property
    def bytes(self) -> int: ...

    @property
    def first_byte(self) -> float | None: ...

    @property
    def is_exhausted(self) -> bool:
        """Whether the last byte has been handed out, so that a packet may be cut short."""

    def offset(self, position: int | None) -> int:
        """The offset in the source of a packet that the demuxer found at ``position``."""

    def arrived(self, offset: int) -> float: ...


class File(Source, Protocol):
    """A source that libav can read as a file."""

    on_chunk: Callable[[bytes], object]
    on_wait: Callable[[], None]

    def read(self, size: int) -> bytes: ...


def demuxed(container: InputContainer) -> Iterator[Packet[Stream]]:
    """All packets, but of streams that a program brings in later: PyAV stumbles over each of those."""
    while True:
        try:
            yield from container.demux()
        except IndexError:
            continue
        return


class Analyzer:
    """One sample being measured: packets in, a :class:`Measurement` out.

    :param sound_only: no video is expected, so that its absence is no reason to end early.
    :param min_sample_seconds: when a sample may end that has settled and ``is_healthy``; None for never.
    """

    def __init__(
        self,
        source: Source,
        *,
        sample_seconds: float,
        thumbnails: bool,
        finite: Callable[[], bool],
        on_progress: OnProgress,
        sound_only: bool = False,
        min_sample_seconds: float | None = None,
        is_healthy: Callable[[Measurement], bool] = lambda _: False,
    ) -> None:
        self.found = Measurement()
        self._source = source
        self._sample_seconds = sample_seconds
        self._thumbnails = thumbnails
        self._finite = finite
        self._sound_only = sound_only
        self._settle_at = float("inf") if min_sample_seconds is None else min_sample_seconds
        self._is_healthy = is_healthy
        self._on_progress = on_progress
        self._told_at = 0.0
        self._clocks: dict[int, Clock] = {}
        # Seconds a tick of each stream's stamps.
        self._ticks: dict[int, float] = {}
        self._selected = Selection()
        self._viewing: VideoAnalyzer | None = None
        self._key_marks: list[Mark] = []
        self._marks: list[Mark] = []
        self._heard_at = float("-inf")
        self._hear_every = max(SOUND_EVERY, sample_seconds / SOUNDS)

    def of_file(self, file: File, container_format: str | None) -> Measurement:
        """Open ``file`` and measure it; what cannot be opened leaves :attr:`Measurement.broken` set."""
        file.on_wait = lambda: self._tell("measuring")
        read = self._read_headers if container_format == "mpegts" else self._read_boxes

        def take(chunk: bytes) -> None:
            read(chunk)
            if self._is_flooded():
                file.deadline = time.monotonic()

        file.on_chunk = take
        self._wait_for_picture()
        self._tell("measuring")
        try:
            container = av.open(
                file, "r", format=container_format, options=OPTIONS, buffer_size=65536, metadata_errors="ignore"
            )
        except (FFmpegError, ValueError) as error:
            self.found.broken = type(error).__name__
            return self.found
        with container:
            return self.of_packets(container, demuxed(container))

    def of_packets(self, container: InputContainer, packets: Iterable[Packet[Stream]]) -> Measurement:
        """Measure ``packets`` of a container until the sample is complete or they end."""
        self._wait_for_picture()
        self._choose(container)
        if self._viewing is None:
            seconds = self._sample_seconds if self._sound_only else min(SOUND_ONLY_SECONDS, self._sample_seconds)
            self._source.deadline = self._began + seconds
        try:
            for packet in packets:
                self._take(packet)
                if self._is_complete() or self._has_settled(container):
                    break
        except (FFmpegError, ValueError) as error:
            self.found.broken = type(error).__name__
        self._conclude(container)
        if self._viewing:
            self.found.thumbnail = self._viewing.thumbnail()
        return self.found

    @property
    def _began(self) -> float:
        return self._source.first_byte or time.monotonic()

    def _wait_for_picture(self) -> None:
        self._source.deadline = self._began + max(self._sample_seconds, FIRST_PICTURE_SECONDS)

    def _read_headers(self, chunk: bytes) -> None:
        self.found.headers.take(chunk)
        if self.found.headers.is_scrambled:
            # Nothing in it will ever decode.
            self._source.deadline = time.monotonic()

    def _read_boxes(self, chunk: bytes) -> None:
        if self.found.dolby_vision is None:
            # The description of what follows stands in the beginning, if it is to be played while it comes.
            is_described = chunk[4:8] == b"ftyp"
            self.found.dolby_vision = is_described and any(box in chunk for box in DOLBY_VISION_BOXES)

    # -- streams -----------------------------------------------------------------------------
    def _choose(self, container: InputContainer) -> None:
        found, programs = self.found, self.found.headers.programs
        selected = self._selected = select(container, programs)
        found.container = container_name(container)
        found.programs = len(programs.streams)
        ours = filter(selected.is_ours, container.streams.subtitles)
        found.subtitles = [subtitle(stream, programs) for stream in ours]
        if selected.video:
            self._viewing = VideoAnalyzer(
                selected.video,
                found,
                sample_seconds=self._sample_seconds,
                thumbnails=self._thumbnails,
                on_first=self._first,
            )

    def _tell(self, phase: str) -> None:
        now = time.monotonic()
        if now - self._told_at < PROGRESS_SECONDS:
            return
        self._told_at = now
        received, media, first = self._source.bytes, self._media_s, self.found.first_frame
        self._on_progress(
            now - self._source.started,
            received,
            round(received * 8 / 1000 / media) if media > 0.5 else None,
            round((first - self._source.started) * 1000) if first else None,
            phase,
        )

    def _main_clock(self) -> Clock | None:
        main = self._selected.main
        return self._clocks.get(main.index) if main else None

    @property
    def _media_s(self) -> float:
        """Seconds of media so far."""
        clock = self._main_clock()
        return clock.media_s if clock else 0.0

    # -- packets -----------------------------------------------------------------------------
    def _take(self, packet: Packet[Stream]) -> None:
        index = packet.stream_index
        if not packet.size:
            return
        clock = self._clocks.get(index)
        if clock is None:
            clock = self._clocks[index] = Clock()
            self._ticks[index] = float(packet.time_base or 0)
        # The order of presentation is no order of time: a packet without a decoding time has its size alone.
        clock.take(None if packet.dts is None else packet.dts * self._ticks[index], packet.size)
        selected = self._selected
        if selected.main and index == selected.main.index:
            self._note(packet, clock)
        if self._source.is_exhausted:
            return
        if self._viewing and selected.video and index == selected.video.index:
            self._viewing.look(packet, clock.media_s)
        elif selected.audio and index == selected.audio.index:
            self._listen(selected.audio, packet, clock.media_s)
        self._tell("measuring")

    def _note(self, packet: Packet[Stream], clock: Clock) -> None:
        offset = self._source.offset(packet.pos)
        self.found.arrivals.append((self._source.arrived(offset), clock.media_s))
        # Frames of sound share a packet of the container, and so its place: the first of them stands for its time.
        mark = Mark(offset, clock.media_s, clock.discontinuities)
        if not self._marks or offset != self._marks[-1].offset:
            self._marks.append(mark)
        if packet.is_keyframe:
            self._key_marks.append(mark)

    def _first(self, packet: Packet[Stream]) -> None:
        source = self._source
        self.found.first_frame = source.arrived(source.offset(packet.pos) + packet.size)
        source.deadline = max(time.monotonic(), self._began + self._sample_seconds)

    def _listen(self, audio: AudioStream, packet: Packet[Stream], at: float) -> None:
        if 0 <= at - self._heard_at < self._hear_every:
            return
        self._heard_at = at
        try:
            for frame in audio.codec_context.decode(packet):
                self.found.sound.hear(frame, at)
        except FFmpegError:
            # One of its frames may lack what an earlier, skipped one held; silence is told from those that decode.
            audio.codec_context.flush_buffers()

    def _is_flooded(self) -> bool:
        """Whether more has come than the time of the media, or the time it took, can explain."""
        explained = GRACE_SECONDS + self._media_s + time.monotonic() - self._began
        return self._source.bytes > MOST_BYTES_PER_SECOND * explained

    def _is_complete(self) -> bool:
        wanted = self._sample_seconds if self._finite() else self._sample_seconds + AHEAD_SECONDS
        if self._viewing and not self.found.pictures:
            wanted = max(wanted, FIRST_PICTURE_SECONDS)
        return self._media_s >= wanted

    def _has_settled(self, container: InputContainer) -> bool:
        """Whether the rest of the sample can be saved; looked at each half second of media."""
        clock = self._main_clock()
        if clock is None or clock.media_s < self._settle_at or self._source.is_exhausted:
            return False
        lasted = clock.media_s if self._finite() else min(clock.media_s, time.monotonic() - self._began)
        if lasted < self._settle_at:
            return False
        self._settle_at = clock.media_s + SETTLE_EVERY
        self._conclude(container)
        found = self.found
        if not can_stop_early(found, clock.steps, self._marks, wants_sound=self._selected.audio is not None):
            return False
        if not self._is_healthy(found):
            return False
        found.saved_s = max(0.0, self._sample_seconds - lasted)
        return True

    # -- the end -----------------------------------------------------------------------------
    def _conclude(self, container: InputContainer) -> None:
        """Note what follows from all packets so far."""
        found, video, audio = self.found, self._selected.video, self._selected.audio
        found.audio, found.audio_layouts = [], []
        for stream in filter(self._selected.is_ours, container.streams.audio):
            if stream.index in self._clocks or stream is audio:
                found.audio.append(track(stream))
                found.audio_layouts.append(stream.codec_context.layout.name if stream.codec_context.channels else None)
        if audio and audio.index in self._clocks:
            found.audio_kbps = self._clocks[audio.index].kbps
        # A jump is one of the whole program, seen by each of its streams.
        told = [self._clocks[one.index] for one in (video, audio) if one and one.index in self._clocks]
        found.discontinuities = max((clock.discontinuities for clock in told), default=0)
        if clock := self._main_clock():
            found.media_s = clock.media_s
            found.bitrate_kbps = self._bitrate(container)
        if video is None or self._viewing is None:
            return
        self._viewing.note()
        if found.dolby_vision or found.headers.programs.says(video.id, DOLBY_VISION):
            found.hdr = "dolby_vision"
        if video.index in self._clocks:
            clock = self._clocks[video.index]
            found.video_kbps = clock.kbps
            found.fps, found.vfr = timing.frame_rate(clock.steps, bool(found.interlaced))

    def _bitrate(self, container: InputContainer) -> float | None:
        """The container's bytes over media time, from key frame to key frame where there is enough between.

        Of several programs, the share of the one that is measured.
        """
        rates = [timing.bitrate(self._key_marks, least_s=2.0)] if self._viewing else []
        rate = next((rate for rate in [*rates, timing.bitrate(self._marks)] if rate), None)
        if rate is None or self._selected.program is None:
            return rate
        sizes = {one.index: self._clocks[one.index].bytes for one in container.streams if one.index in self._clocks}
        ours = sum(size for index, size in sizes.items() if self._selected.is_ours(container.streams[index]))
        return rate * ours / sum(sizes.values())
