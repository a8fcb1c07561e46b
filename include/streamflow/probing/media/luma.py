"""Small grey copies of decoded pictures."""

from __future__ import annotations

from dataclasses import dataclass
from operator import sub

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

WIDTH, HEIGHT = 64, 36
# Full-range grey levels up to which a place is dark, and the share of lighter places that a black picture may have:
# a station's logo stays on.
DARK = 24
BRIGHT_SHARE = 0.04
# The largest difference of one place that encoding a still picture again explains; the noise of a live picture is more.
SAME = 3
_LIGHTER = bytes(1 if level > DARK else 0 for level in range(256))


@dataclass(frozen=True)
class Picture:
    """A decoded picture as 64 x 36 levels of grey.

    :param at: its media time in seconds.
    :param is_whole: whether the decoder made up no part of it.
    """

    at: float
    grey: bytes
    is_whole: bool = True

    @property
    def is_dark(self) -> bool:
        """Whether next to nothing in it is lit."""
        return self.grey.translate(_LIGHTER).count(1) <= BRIGHT_SHARE * len(self.grey)

    @property
    def detail(self) -> float:
        """Mean bend of the grey along rows and columns, half the second difference, in levels of grey.

        An edge of one level counts as one; an even ramp counts as nothing, since encoders predict it.
        """
        rows, columns = _bends(self.grey, 1), _bends(self.grey, WIDTH)
        # Three places that begin in the last two columns of a row end in the next one.
        across = sum(rows[WIDTH - 2 :: WIDTH]) + sum(rows[WIDTH - 1 :: WIDTH])
        count = HEIGHT * (WIDTH - 2) + (HEIGHT - 2) * WIDTH
        return (sum(rows) - across + sum(columns)) / count / 2

    def is_same(self, other: Picture, tolerance: int = SAME) -> bool:
        """Return whether no place differs by more than ``tolerance``."""
        if self.grey == other.grey:
            return True
        # all() stops at the first place that differs.
        return all(-tolerance <= a - b <= tolerance for a, b in zip(self.grey, other.grey, strict=True))

    def differences(self, other: Picture, tolerance: int) -> int:
        """Return the number of places that differ by more than ``tolerance``."""
        if self.grey == other.grey:
            return 0
        apart = bytes(map(abs, map(sub, self.grey, other.grey)))
        return len(apart.translate(None, bytes(range(tolerance + 1))))


def _bends(grey: bytes, step: int) -> list[int]:
    """Return the absolute second difference at each place, of places ``step`` apart."""
    slopes = list(map(sub, grey[step:], grey))
    return list(map(abs, map(sub, slopes[step:], slopes)))


class Scaler:
    """Makes small copies of frames; one for each track, since its preparation costs more than a copy."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def small(self, frame: VideoFrame, at: float) -> Picture:
        """Return a small copy of a frame, its levels stretched from video's range to the full one."""
        # Area averaging removes the noise of single points and looks at all of them.
        grey = self._reformatter.reformat(
            frame, WIDTH, HEIGHT, "gray", interpolation="AREA", dst_color_range="JPEG", threads=1
        )
        plane = grey.planes[0]
        data = bytes(plane)
        if plane.line_size != WIDTH:
            data = b"".join(data[row * plane.line_size : row * plane.line_size + WIDTH] for row in range(HEIGHT))
        return Picture(at, data[: WIDTH * HEIGHT])
