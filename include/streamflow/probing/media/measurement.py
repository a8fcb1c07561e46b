"""What is measured of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamflow.probing.media.audio import AudioLevels
from streamflow.probing.media.freeze import Picture
from streamflow.probing.media.transport_stream import PacketHeaders
from streamflow.records import AudioTrack


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
    # Whether the container says so; None before it was looked at, and where its tables tell (see headers).
    dolby_vision: bool | None = None
    audio: list[AudioTrack] = field(default_factory=list)
    audio_layouts: list[str | None] = field(default_factory=list)
    subtitles: list[str] = field(default_factory=list)
    programs: int = 0
    first_frame: float | None = None
    media_s: float = 0.0
    bitrate_kbps: float | None = None
    video_kbps: float | None = None
    audio_kbps: float | None = None
    gop_s: float | None = None
    discontinuities: int = 0
    decode_errors: int = 0
    pictures: list[Picture] = field(default_factory=list)
    # Bits for a point of the frames between key pictures, without what only fills up.
    residue: float | None = None
    sound: AudioLevels = field(default_factory=AudioLevels)
    headers: PacketHeaders = field(default_factory=PacketHeaders)
    arrivals: list[tuple[float, float]] = field(default_factory=list)
    key_frames: int = 0
    video_packets: int = 0
    thumbnail: bytes | None = None
    broken: str | None = None
    # Seconds of the sample that were not needed.
    saved_s: float | None = None

    @property
    def has_video(self) -> bool:
        return self.video_codec is not None


@dataclass(frozen=True)
class Sample:
    """What was measured, and how it came; times are monotonic.

    ``ended``: when nothing more was looked at. ``late``: from when until when nobody could look. ``cut``: how a live
    stream came to an end by itself, None if it did not.
    """

    found: Measurement
    ended: float
    late: list[tuple[float, float]]
    cut: str | None = None
    first_byte: float | None = None
    bytes: int = 0
