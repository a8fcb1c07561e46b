"""Measuring: all packets demuxed, key pictures and a part of the sound decoded."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamflow.probing import pictures, timing
from streamflow.probing.pictures import Picture
from streamflow.probing.sound import Sound
from streamflow.probing.timing import Clock, Mark
from streamflow.probing.transport_stream import PacketHeaders
from streamflow.udi.models import AudioTrack

# The demuxers that a feed of bytes may choose: none that opens further files or addresses by itself.
FORMATS = "mpegts,flv,mov,matroska,aac,mp3,ac3,eac3,ogg,flac,mpeg,h264,hevc,mpegvideo,asf,wav,loas,ivf"
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
MAX_PIXELS = 8192 * 4608
# A first key frame may take so long from the first byte.
FIRST_PICTURE_SECONDS = 10.0
# Key pictures are decoded at most this often, in seconds of media; those of 2160 lines cost a tenth of a CPU-second.
PICTURE_EVERY = 0.45
BIG_PICTURE_EVERY = 1.9
BIG_LINES = 1440
# Where key frames are further apart than this, the pictures between them are decoded too, but of 2160 lines.
RARE_KEY_SECONDS = 2.6
RARE_PICTURE_EVERY = 0.9
# Where no packet is marked as key for so long, all of them are decoded until a picture comes.
NO_KEY_SECONDS = 4.0
SOUND_EVERY = 0.2
# A source that sends this much faster than real time is a file: its sample ends by media time.
AHEAD_SECONDS = 6.0
PROGRESS_SECONDS = 1.0
# The start of an IDR slice of H.264 (ITU-T H.264, 7.4.1).
_IDR = re.compile(rb"\x00\x00\x01[\x25\x45\x65]")

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


@dataclass
class Measurement:
    """What was measured; None where the stream has no such thing or shows too little of it."""

    container: str | None = None
    video_codec: str | None = None
    video_profile: str | None = None
    level: str | None = None
    width: int | None = None
    height: int | None = None
    sar: str | None = None
    fps: float | None = None
    vfr: bool = False
    interlaced: bool | None = None
    pixel_format: str | None = None
    hdr: str | None = None
    audio: list[AudioTrack] = field(default_factory=list)
    audio_layouts: list[str | None] = field(default_factory=list)
    subtitles: list[str] = field(default_factory=list)
    first_frame: float | None = None
    media_s: float = 0.0
    bitrate_kbps: float | None = None
    video_kbps: float | None = None
    audio_kbps: float | None = None
    gop_s: float | None = None
    discontinuities: int = 0
    decode_errors: int = 0
    pictures: list[Picture] = field(default_factory=list)
    sound: Sound = field(default_factory=Sound)
    headers: PacketHeaders = field(default_factory=PacketHeaders)
    arrivals: list[tuple[float, float]] = field(default_factory=list)
    key_frames: int = 0
    video_packets: int = 0
    thumbnail: bytes | None = None
    broken: str | None = None

    @property
    def has_video(self) -> bool:
        return self.video_codec is not None


def demuxed(container: InputContainer) -> Iterator[Packet[Stream]]:
    """All packets, but of streams that a program brings in later: PyAV stumbles over each of those."""
    while True:
        try:
            yield from container.demux()
        except IndexError:
            continue
        return


class Measuring:
    """One sample being measured: packets in, a :class:`Measurement` out."""

    def __init__(
        self,
        source: Source,
        *,
        sample_seconds: float,
        thumbnails: bool,
        finite: Callable[[], bool],
        on_progress: OnProgress,
    ) -> None:
        self.found = Measurement()
        self._source = source
        self._sample_seconds = sample_seconds
        self._thumbnails = thumbnails
        self._finite = finite
        self._on_progress = on_progress
        self._told_at = 0.0
        self._clocks: dict[int, Clock] = {}
        # Seconds a tick of each stream's stamps.
        self._ticks: dict[int, float] = {}
        self._video: VideoStream | None = None
        self._audio: AudioStream | None = None
        self._key_times: list[float] = []
        self._since_key: list[tuple[Packet[Stream], float]] = []
        self._is_following = False
        self._is_gradual = False
        self._key_marks: list[Mark] = []
        self._marks: list[Mark] = []
        self._pictured_at = float("-inf")
        self._heard_at = float("-inf")
        self._best_shot: tuple[bool, VideoFrame] | None = None

    def of_file(self, file: File, container_format: str | None) -> Measurement:
        """Open ``file`` and measure it; what cannot be opened leaves :attr:`Measurement.broken` set."""
        file.on_wait = lambda: self._tell("measuring")
        if container_format == "mpegts":
            file.on_chunk = self._read_headers
        self._wait_for_picture()
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
        if self._video is None:
            self._source.deadline = self._began + self._sample_seconds
        try:
            for packet in packets:
                self._take(packet)
                if self._is_complete():
                    break
        except (FFmpegError, ValueError) as error:
            self.found.broken = type(error).__name__
        self._conclude(container)
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

    # -- streams -----------------------------------------------------------------------------
    def _choose(self, container: InputContainer) -> None:
        found, streams = self.found, container.streams
        found.container = {"mov,mp4,m4a,3gp,3g2,mj2": "mp4", "matroska,webm": "matroska"}.get(
            container.format.name, container.format.name
        )
        videos = [stream for stream in streams.video if not _is_cover(stream)]
        if videos:
            # Of several programs, the one with the most lines; the first among equals.
            self._video = max(videos, key=lambda stream: stream.height or 0)
            _prepare(self._video)
        related = streams.best("audio", related=self._video) if self._video else streams.best("audio")
        self._audio = cast("AudioStream | None", related)
        found.subtitles = [
            f"{stream.codec_context.name if stream.codec_context else 'unknown'}:{stream.language or 'und'}"
            for stream in streams.subtitles
        ]

    def _tell(self, phase: str) -> None:
        now = time.monotonic()
        if now - self._told_at < PROGRESS_SECONDS:
            return
        self._told_at = now
        found, received = self.found, self._source.bytes
        clock = self._main_clock()
        media = clock.media_s if clock else 0.0
        first = found.first_frame
        self._on_progress(
            now - self._source.started,
            received,
            round(received * 8 / 1000 / media) if media > 0.5 else None,
            round((first - self._source.started) * 1000) if first else None,
            phase,
        )

    def _main_clock(self) -> Clock | None:
        main = self._video or self._audio
        return self._clocks.get(main.index) if main else None

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
        main = self._video or self._audio
        if main is not None and index == main.index:
            self._note(packet, clock)
        if self._source.is_exhausted:
            return
        if self._video is not None and index == self._video.index:
            self._look(packet, clock)
        elif self._audio is not None and index == self._audio.index:
            self._listen(packet, clock.media_s)
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

    def _look(self, packet: Packet[Stream], clock: Clock) -> None:
        found, media = self.found, clock.media_s
        found.video_packets += 1
        if packet.is_keyframe:
            found.key_frames += 1
            self._key_times.append(media)
            self._since_key = [(packet, media)]
            if self._is_following and not self._is_gradual:
                self._follow(False)
            if not self._is_following:
                self._look_at_key(packet, media)
                return
        elif not self._is_following:
            self._look_between(packet, media)
            return
        self._decode_on(packet, media)

    def _look_at_key(self, packet: Packet[Stream], media: float) -> None:
        every = BIG_PICTURE_EVERY if (self.found.height or 0) > BIG_LINES else PICTURE_EVERY
        if media - self._pictured_at >= every or not self.found.pictures:
            self._decode_alone(packet, media)

    def _look_between(self, packet: Packet[Stream], media: float) -> None:
        """Keep what follows a key frame; begin to decode all of it when the next one is long in coming."""
        if not self._key_times:
            if media > NO_KEY_SECONDS:
                self._follow(True)
                self._decode_on(packet, media)
            return
        if (self.found.height or 0) > BIG_LINES:
            return
        self._since_key.append((packet, media))
        if media - self._key_times[-1] > RARE_KEY_SECONDS:
            kept, self._since_key = self._since_key, []
            self._follow(True)
            for one, at in kept:
                self._decode_on(one, at)

    def _follow(self, following: bool) -> None:
        """Go over from key frames by themselves to all frames that others refer to, or back."""
        self._is_following = following
        if self._video:
            self._video.codec_context.flush_buffers()
            self._video.codec_context.skip_frame = "NONREF" if following else "NONKEY"

    def _decode_on(self, packet: Packet[Stream], media: float) -> None:
        """Decode a frame in its turn; a picture is taken of few."""
        for frame in self._decoded(packet):
            # Before the first whole picture, damage is only what was missed before the start.
            if frame.is_corrupt and not self._is_gradual:
                self.found.decode_errors += bool(self.found.pictures)
            elif media - self._pictured_at >= RARE_PICTURE_EVERY or not self.found.pictures:
                self._take_picture(frame, packet, media)

    def _decode_alone(self, packet: Packet[Stream], media: float) -> None:
        """Decode a key frame by itself; a decoder that reorders would hold it back until the next."""
        frames = self._decoded(packet, alone=True)
        if frames:
            self.found.decode_errors += frames[0].is_corrupt
            self._take_picture(frames[0], packet, media)
        elif _IDR.search(bytes(packet)):
            self.found.decode_errors += 1
        else:
            # No key frame but a point from which the picture is refreshed bit by bit.
            self._is_gradual = True
            self._follow(True)
            self._decode_on(packet, media)

    def _decoded(self, packet: Packet[Stream], *, alone: bool = False) -> list[VideoFrame]:
        video = self._video
        if video is None:
            return []
        context, payload = video.codec_context, cast("Packet[VideoStream]", packet)
        try:
            frames = context.decode(payload)
            if alone:
                frames += context.decode(None)
                context.flush_buffers()
        except FFmpegError:
            self.found.decode_errors += not alone and bool(self.found.pictures)
            context.flush_buffers()
            return []
        return frames

    def _take_picture(self, frame: VideoFrame, packet: Packet[Stream], media: float) -> None:
        self._pictured_at = media
        self._see(frame, media)
        if self.found.first_frame is None:
            self._first(packet)

    def _first(self, packet: Packet[Stream]) -> None:
        source = self._source
        self.found.first_frame = source.arrived(source.offset(packet.pos) + packet.size)
        source.deadline = max(time.monotonic(), self._began + self._sample_seconds)

    def _see(self, frame: VideoFrame, media: float) -> None:
        found = self.found
        if found.width is None:
            found.width, found.height = frame.width, frame.height
            found.pixel_format = frame.format.name
            found.hdr = _hdr(frame)
        found.interlaced = bool(found.interlaced) or frame.interlaced_frame
        picture = pictures.small(frame, media)
        found.pictures.append(picture)
        if self._thumbnails:
            shows = not picture.is_black and not frame.is_corrupt
            if self._best_shot is None or (shows and not self._best_shot[0]):
                self._best_shot = shows, frame

    def _listen(self, packet: Packet[Stream], at: float) -> None:
        if self._audio is None or 0 <= at - self._heard_at < SOUND_EVERY:
            return
        self._heard_at = at
        try:
            for frame in self._audio.codec_context.decode(packet):
                self.found.sound.hear(frame, at)
        except FFmpegError:
            # One of its frames may lack what an earlier, skipped one held; silence is told from those that decode.
            self._audio.codec_context.flush_buffers()

    def _is_complete(self) -> bool:
        clock = self._main_clock()
        if clock is None:
            return False
        wanted = self._sample_seconds if self._finite() else self._sample_seconds + AHEAD_SECONDS
        if self._video and not self.found.pictures:
            wanted = max(wanted, FIRST_PICTURE_SECONDS)
        return clock.media_s >= wanted

    # -- the end -----------------------------------------------------------------------------
    def _conclude(self, container: InputContainer) -> None:
        found = self.found
        for stream in container.streams.audio:
            if stream.index in self._clocks or stream is self._audio:
                found.audio.append(_track(stream))
                found.audio_layouts.append(stream.codec_context.layout.name if stream.codec_context.channels else None)
        if self._audio and self._audio.index in self._clocks:
            found.audio_kbps = self._clocks[self._audio.index].kbps
        # A jump is one of the whole program, seen by each of its streams.
        found.discontinuities = max((clock.discontinuities for clock in self._clocks.values()), default=0)
        if clock := self._main_clock():
            found.media_s = clock.media_s
            found.bitrate_kbps = self._bitrate()
        video = self._video
        if video is None:
            return
        context = video.codec_context
        found.video_codec = context.codec.canonical_name
        found.video_profile = context.profile or video.profile
        found.level = _level(found.video_codec, context.level)
        if found.width is None and context.width:
            found.width, found.height = context.width, context.height
            found.pixel_format = context.pix_fmt
        ratio = context.sample_aspect_ratio or video.sample_aspect_ratio
        found.sar = f"{ratio.numerator}:{ratio.denominator}" if ratio else None
        if video.index in self._clocks:
            clock = self._clocks[video.index]
            found.video_kbps = clock.kbps
            found.fps, found.vfr = timing.frame_rate(clock.steps, bool(found.interlaced))
        if len(self._key_times) >= 2:
            found.gop_s = round((self._key_times[-1] - self._key_times[0]) / (len(self._key_times) - 1), 3)
        if self._best_shot:
            found.thumbnail = pictures.jpeg(self._best_shot[1])

    def _bitrate(self) -> float | None:
        """The container's bytes over media time, from key frame to key frame where there is enough between."""
        rates = [timing.bitrate(self._key_marks, least_s=2.0)] if self._video else []
        return next((rate for rate in [*rates, timing.bitrate(self._marks)] if rate), None)


def _prepare(video: VideoStream) -> None:
    context = video.codec_context
    # Frame threads would keep a picture each: a 2160-line stream then takes 250 MB.
    context.thread_count = 1
    context.skip_frame = "NONKEY"
    # What the loop filter smoothes is nothing to small pictures, and a third of their cost.
    context.options = {"max_pixels": str(MAX_PIXELS), "threads": "1", "skip_loop_filter": "all"}


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _track(stream: AudioStream) -> AudioTrack:
    context = stream.codec_context
    return AudioTrack(
        codec=context.codec.canonical_name,
        channels=context.channels or None,
        sample_rate=context.sample_rate or None,
        language=stream.language,
    )


def _hdr(frame: VideoFrame) -> str | None:
    """By the transfer function (ITU-T H.273: 16 = SMPTE ST 2084, 18 = ARIB STD-B67) and Dolby Vision's metadata."""
    if any("DOVI" in str(data.type).upper() for data in cast("Any", frame.side_data)):
        return "dolby_vision"
    return {16: "hdr10", 18: "hlg"}.get(int(frame.color_trc or 0))


def _level(codec: str, level: int | None) -> str | None:
    if not level or level < 0:
        return None
    scale = {"h264": 10, "hevc": 30}.get(codec)
    return f"{level / scale:.1f}" if scale else str(level)
