"""The recipes of the lab's clips, and the catalogue with every class of stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

VideoCodec = Literal["h264", "hevc", "mpeg2video"]
AudioCodec = Literal["aac", "ac3", "eac3", "mp2"]
Picture = Literal["moving", "black", "frozen", "slate", "slate_loop"]
Sound = Literal["tone", "silence", "clipping"]

FILM = Fraction(24000, 1001)
NTSC = Fraction(30000, 1001)


@dataclass(frozen=True)
class Video:
    """A video track. ``quality`` is the first quantiser that is tried. It rises until the bitrate is met."""

    codec: VideoCodec
    width: int
    height: int
    fps: Fraction
    picture: Picture = "moving"
    interlaced: bool = False
    hdr: Literal["hdr10", "hlg"] | None = None
    quality: int = 30
    gop_frames: int | None = None

    @property
    def pixel_format(self) -> str:
        """Return the pixel format."""
        return "yuv420p10le" if self.hdr else "yuv420p"

    @property
    def gop(self) -> int:
        """Frames from one key frame to the next; about a second unless set."""
        return self.gop_frames or round(self.fps)


@dataclass(frozen=True)
class Audio:
    """An audio track at 48 kHz. ``kbps`` is the encoder's target bitrate."""

    codec: AudioCodec
    kbps: int
    channels: int = 2
    language: str = "eng"
    sound: Sound = "tone"


@dataclass(frozen=True)
class Recipe:
    """A class of clip.

    :param kbps: the bitrate of the whole stream. Without video it follows from the audio.
    :param gops: the number of closed groups of pictures in a loop. A loop holds a whole number of frames of each track.
    """

    name: str
    kbps: int
    video: Video | None = None
    audio: tuple[Audio, ...] = ()
    gops: int = 16
    flaw: Literal["lossy", "scrambled"] | None = None

    @property
    def duration(self) -> Fraction:
        """Seconds of one loop."""
        return Fraction(self.gops) if self.video is None else self.gops * self.video.gop / self.video.fps


AAC = Audio("aac", 128)
AC3 = Audio("ac3", 384, channels=6)
MP2 = Audio("mp2", 192)


def _h264(width: int, height: int, fps: int | Fraction, **other: object) -> Video:
    return Video("h264", width, height, Fraction(fps), **other)  # type: ignore[arg-type]


def _hevc(width: int, height: int, fps: int | Fraction, **other: object) -> Video:
    return Video("hevc", width, height, Fraction(fps), **other)  # type: ignore[arg-type]


def _recipes() -> Iterable[Recipe]:
    yield Recipe("uhd50_hevc", 20_000, _hevc(3840, 2160, 50, quality=37), (AAC,), gops=8)
    yield Recipe("uhd25_hevc_hdr10", 16_000, _hevc(3840, 2160, 25, hdr="hdr10", quality=35), (AC3,), gops=8)
    yield Recipe("uhd25_h264", 18_000, _h264(3840, 2160, 25, quality=35), (AAC,), gops=8)
    yield Recipe("fhd25_hevc", 4_000, _hevc(1920, 1080, 25, quality=35), (AAC,))
    yield Recipe("fhd50_hevc_hlg", 6_000, _hevc(1920, 1080, 50, hdr="hlg", quality=35), (AAC,))
    yield Recipe("fhd25_3m", 3_000, _h264(1920, 1080, 25, quality=37), (AAC,))
    yield Recipe("fhd25_6m", 6_000, _h264(1920, 1080, 25, quality=32), (AAC,))
    yield Recipe("fhd50_8m", 8_000, _h264(1920, 1080, 50, quality=35), (AC3,))
    yield Recipe("fhd25i_5m", 5_000, _h264(1920, 1080, 25, interlaced=True, quality=35), (MP2,), gops=12)
    yield Recipe("fhd60_7m", 7_000, _h264(1920, 1080, 60, quality=37), (AAC,))
    yield Recipe("fhd_film_5m", 5_000, _h264(1920, 1080, FILM, quality=33, gop_frames=32), (AAC,))
    yield Recipe("hd50_4m", 4_000, _h264(1280, 720, 50, quality=36), (AAC, Audio("mp2", 192, language="fra")), gops=24)
    yield Recipe("hd60_4m", 4_000, _h264(1280, 720, 60, quality=36), (AC3,))
    yield Recipe("hd25_2m", 2_000, _h264(1280, 720, 25, quality=36), (AAC,))
    yield Recipe("hd30_ntsc_3m", 3_000, _h264(1280, 720, NTSC, quality=34, gop_frames=32), (AAC,), gops=20)
    yield Recipe("sd576i_h264", 2_000, _h264(720, 576, 25, interlaced=True, quality=33), (MP2,), gops=12)
    yield Recipe(
        "sd576i_mpeg2", 4_000, Video("mpeg2video", 720, 576, Fraction(25), interlaced=True, quality=6), (MP2,), gops=12
    )
    yield Recipe("sd480p30", 1_200, _h264(640, 480, 30, quality=34), (AAC,))
    yield Recipe("fhd25_starved", 350, _h264(1920, 1080, 25, quality=51), (Audio("aac", 64),))
    yield Recipe("silent_video", 2_500, _h264(1280, 720, 25, quality=34))
    yield Recipe("radio_aac", 140, audio=(AAC,))
    yield Recipe("radio_mp2", 200, audio=(MP2,), gops=12)
    yield Recipe("black", 2_000, _h264(1280, 720, 25, picture="black"), (AAC,))
    yield Recipe("frozen", 3_000, _h264(1920, 1080, 25, picture="frozen", quality=34), (AAC,))
    yield Recipe("slate", 2_000, _h264(1280, 720, 25, picture="slate"), (Audio("aac", 128, sound="silence"),))
    yield Recipe("slate_loop", 2_000, _h264(1280, 720, 25, picture="slate_loop"), (AAC,))
    yield Recipe("silent_sound", 3_000, _h264(1280, 720, 50, quality=37), (Audio("aac", 128, sound="silence"),))
    yield Recipe("clipping_sound", 2_500, _h264(1280, 720, 25, quality=34), (Audio("aac", 128, sound="clipping"),))
    yield Recipe("lossy", 3_000, _h264(1280, 720, 25, quality=33), (AAC,), flaw="lossy")
    yield Recipe("scrambled", 3_000, _h264(1280, 720, 25, quality=33), (AAC,), flaw="scrambled")


CATALOGUE: dict[str, Recipe] = {recipe.name: recipe for recipe in _recipes()}
