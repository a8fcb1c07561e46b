"""Black and frozen pictures, told from small grey copies of a few decoded frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

WIDTH, HEIGHT = 64, 36
# Full-range grey levels. A logo or a ticker moves on a "black" picture, so a few bright places are let pass.
DARK = 24
BRIGHT_SHARE = 0.04
# The largest difference of one place that encoding a still picture again explains; noise of a live picture is more.
SAME = 3
STILL_SHARE = 0.95
# A picture that differs more than this somewhere is another one, whatever the noise.
VISIBLE = 12
# Bits for a point between key pictures. Of a frozen source there were at most 0.03 (MPEG-2 and H.264 at any bitrate),
# of a live picture that stands still, with the least noise to be seen, from 0.06.
LIVE_BITS = 0.045
THUMBNAIL_WIDTH = 320
THUMBNAIL_BYTES = 20_000
_LIGHTER = bytes(1 if level > DARK else 0 for level in range(256))


@dataclass(frozen=True)
class Picture:
    """A decoded picture: its time in seconds of media, and 64 x 36 levels of grey.

    One that is not whole has places that the decoder made up, mostly of the picture before.
    """

    at: float
    grey: bytes
    is_whole: bool = True

    @property
    def is_black(self) -> bool:
        return self.grey.translate(_LIGHTER).count(1) <= BRIGHT_SHARE * len(self.grey)

    def is_same(self, other: Picture, tolerance: int = SAME) -> bool:
        """Whether no place differs; stops at the first that does."""
        if self.grey == other.grey:
            return True
        return all(-tolerance <= a - b <= tolerance for a, b in zip(self.grey, other.grey, strict=True))


class Scaler:
    """Makes small copies of frames; one for each stream, since what it prepares costs more than a copy."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def small(self, frame: VideoFrame, at: float) -> Picture:
        """A small copy of a frame, levels stretched from video's range to the full one."""
        # Area averaging does away with the noise of single points and looks at all of them.
        grey = self._reformatter.reformat(frame, WIDTH, HEIGHT, "gray", interpolation="AREA", dst_color_range="JPEG")
        plane = grey.planes[0]
        data = bytes(plane)
        if plane.line_size != WIDTH:
            data = b"".join(data[row * plane.line_size : row * plane.line_size + WIDTH] for row in range(HEIGHT))
        return Picture(at, data[: WIDTH * HEIGHT])


@dataclass(frozen=True)
class PictureStatistics:
    """Shares of the pictures that are black, and of the time in which nothing new was shown.

    ``period_s`` is set where the same few pictures come again and again. ``evidence_s`` is the time looked at.
    """

    black_ratio: float | None = None
    frozen_ratio: float | None = None
    period_s: float | None = None
    evidence_s: float = 0.0

    @property
    def is_still(self) -> bool:
        """Whether nothing new was shown in nearly all of the time."""
        return (self.frozen_ratio or 0.0) >= STILL_SHARE


def picture_statistics(pictures: Sequence[Picture], residue: float | None = None) -> PictureStatistics:
    """Judge the whole pictures of a sample, in the order of their time.

    :param residue: bits for a point of the frames between key pictures; None where there are none. The noise of a
        camera is lost in small copies, but has to be sent: what stands still and takes bits is alive.
    """
    pictures = [picture for picture in pictures if picture.is_whole]
    if not pictures:
        return PictureStatistics()
    black = round(sum(picture.is_black for picture in pictures) / len(pictures), 3)
    span = pictures[-1].at - pictures[0].at
    if len(pictures) < 3:
        return PictureStatistics(black, None, None, round(span, 2))
    still, period = _stillness(pictures)
    if still >= STILL_SHARE and (residue or 0.0) >= LIVE_BITS and _is_one_scene(pictures):
        still, period = 0.0, None
    return PictureStatistics(
        black, round(still, 3), period and round(span / (len(pictures) - 1) * period, 2), round(span, 2)
    )


def _stillness(pictures: Sequence[Picture]) -> tuple[float, int | None]:
    """The share of steps that show nothing new, and after how many pictures they come again, if they do."""
    count = len(pictures)
    still = sum(after.is_same(before) for before, after in pairwise(pictures)) / (count - 1)
    if still == 1:
        return still, None
    # A slate: after one period every picture has been there before.
    for period in range(2, count // 2 + 1):
        if all(pictures[i].is_same(pictures[i - period]) for i in range(period, count)):
            return 1.0, period
    return still, None


def _is_one_scene(pictures: Sequence[Picture]) -> bool:
    return all(after.is_same(before, VISIBLE) for before, after in pairwise(pictures))


def jpeg(frame: VideoFrame, sample_aspect: Fraction | None = None) -> bytes | None:
    """The frame as a JPEG, 320 wide and at most 20 KB, in the shape that it is watched in.

    :param sample_aspect: how wide a point is for its height; None where that is not told, and taken for 1.
    :returns: None if it can't be made so small.
    """
    shape = frame.height / max(1, frame.width) / (sample_aspect or 1)
    height = max(2, round(THUMBNAIL_WIDTH * shape / 2) * 2)
    scaled = frame.reformat(THUMBNAIL_WIDTH, min(height, 640), "yuvj420p", dst_color_range="JPEG")
    for quality in (4, 8, 16, 31):
        context = av.CodecContext.create("mjpeg", "w")
        if not isinstance(context, VideoCodecContext):
            raise TypeError("mjpeg is no video codec")
        context.width, context.height, context.pix_fmt = scaled.width, scaled.height, "yuvj420p"
        context.time_base = Fraction(1, 25)
        context.options = {"qmin": str(quality), "qmax": str(quality), "strict": "unofficial"}
        scaled.pts = None
        data = b"".join(bytes(packet) for packet in [*context.encode(scaled), *context.encode(None)])
        if 0 < len(data) <= THUMBNAIL_BYTES:
            return data
    return None
