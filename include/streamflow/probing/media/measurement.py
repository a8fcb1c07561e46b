"""The figures that a sample yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from streamflow.probing.media.audio import AudioLevels
from streamflow.probing.media.luma import Picture
from streamflow.probing.media.transport_stream import PacketHeaders
from streamflow.records import AudioTrack

# The figures had settled, or they were those of the last good check of the unchanged stream.
EarlyEnd = Literal["settled", "unchanged"]


@dataclass(frozen=True)
class VideoFormat:
    """How the pictures are encoded; None where the stream has no such thing, or shows too little of it."""

    codec: str | None = None
    profile: str | None = None
    level: str | None = None
    width: int | None = None
    height: int | None = None
    sar: str | None = None
    interlaced: bool | None = None
    pixel_format: str | None = None
    hdr: str | None = None

    @property
    def size(self) -> tuple[int | None, int | None]:
        """Width and height."""
        return self.width, self.height


@dataclass
class Measurement:
    """The figures of a sample; None where the stream has no such thing, or shows too little of it.

    Where the tracks or their format change in the middle, the figures are those of the format that lasted longest.
    ``unreadable`` names the tracks that no decoder here can read, ``unsupported_video`` the video's codec among them.
    ``early_end`` says why the sample could end before its time, ``saved_s`` is the part of it that was not needed.
    ``residue`` is bits per point of the pictures between key pictures, without mere filling; ``quantizer`` that of a
    key picture of H.264 where such bits are few. ``arrivals`` are pairs of wall time and media time. ``broken`` names
    the error that ended the reading.
    """

    container: str | None = None
    format: VideoFormat = field(default_factory=VideoFormat)
    fps: float | None = None
    vfr: bool = False
    audio: list[AudioTrack] = field(default_factory=list)
    audio_layouts: list[str | None] = field(default_factory=list)
    subtitles: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unsupported_video: str | None = None
    programs: int = 0
    formats: int = 0
    first_frame: float | None = None
    media_s: float = 0.0
    bitrate_kbps: float | None = None
    video_kbps: float | None = None
    audio_kbps: float | None = None
    gop_s: float | None = None
    discontinuities: int = 0
    decode_errors: int = 0
    pictures: list[Picture] = field(default_factory=list)
    residue: float | None = None
    quantizer: float | None = None
    levels: AudioLevels = field(default_factory=AudioLevels)
    headers: PacketHeaders = field(default_factory=PacketHeaders)
    is_encrypted: bool = False
    arrivals: list[tuple[float, float]] = field(default_factory=list)
    key_frames: int = 0
    video_packets: int = 0
    thumbnail: bytes | None = None
    broken: str | None = None
    saved_s: float | None = None
    early_end: EarlyEnd | None = None

    @property
    def has_video(self) -> bool:
        """Whether a video track that can be decoded is announced."""
        return self.format.codec is not None


@dataclass(frozen=True)
class Sample:
    """A measurement and how its bytes came; times are monotonic, in seconds.

    :param ended: when the last byte that counts was looked at.
    :param starved: the spells in which this process could not look.
    :param interruption: how a live stream ended by itself; None if it did not.
    """

    measurement: Measurement
    ended: float
    starved: list[tuple[float, float]]
    interruption: str | None = None
    first_byte: float | None = None
    bytes: int = 0
