"""Black and frozen pictures, from small grey copies of a few of them and from the bits between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from streamflow.probing.media.luma import SAME, Picture

STILL_SHARE = 0.95
# A picture that differs by more than this somewhere is another one, whatever the noise.
VISIBLE = 12
# Bits per point between key pictures. A frozen source had at most 0.03 (MPEG-2 and H.264 at any bitrate), a live
# picture that stands still, with the least visible noise, at least 0.06.
LIVE_BITS = 0.045
# With fewer bits than this nothing new is sent, so that a few places may differ from one key picture to the next by
# as much as encoding them again explains.
IDLE_BITS = 0.004
IDLE_TOLERANCE = 8
IDLE_PLACES = 23
# The number of places that move where something is shown on black, and the share of the steps in which they do.
MOVING_PLACES = 3
MOVING_SHARE = 0.3
# Places that differ by more than this have changed; less is noise.
CHANGED = 4


@dataclass(frozen=True)
class PictureStatistics:
    """Shares of the pictures that are black, and of the time in which nothing new was shown.

    ``period_s`` is set where the same few pictures repeat. ``evidence_s`` is the time from the first picture to the
    last. ``changing_ratio`` is the share of the picture that usually changes from one to the next.
    """

    black_ratio: float | None = None
    frozen_ratio: float | None = None
    period_s: float | None = None
    evidence_s: float = 0.0
    changing_ratio: float | None = None

    @property
    def is_still(self) -> bool:
        """Whether nothing new was shown in nearly all of the time."""
        return (self.frozen_ratio or 0.0) >= STILL_SHARE


def picture_statistics(pictures: Sequence[Picture], residue: float | None = None) -> PictureStatistics:
    """Judge the whole pictures of a sample, in the order of their time.

    :param residue: bits per point of the pictures between key pictures; None where there are none. Small copies lose
        the noise of a camera, but an encoder has to send it: a still picture that takes bits is alive. A
        picture that takes next to none is frozen, even where its key pictures differ a little.
    """
    pictures = [picture for picture in pictures if picture.is_whole]
    if not pictures:
        return PictureStatistics()
    black = 0.0 if _is_moving(pictures) else sum(picture.is_dark for picture in pictures) / len(pictures)
    span = pictures[-1].at - pictures[0].at
    if len(pictures) < 3:
        return PictureStatistics(round(black, 3), None, None, round(span, 2))
    still, period = _stillness(pictures, is_idle=residue is not None and residue < IDLE_BITS)
    if still >= STILL_SHARE and (residue or 0.0) >= LIVE_BITS and _is_one_scene(pictures):
        still, period = 0.0, None
    period_s = period and round(span / (len(pictures) - 1) * period, 2)
    changing = median(after.differences(before, CHANGED) / len(after.grey) for before, after in pairwise(pictures))
    return PictureStatistics(round(black, 3), round(still, 3), period_s, round(span, 2), round(changing, 3))


def _is_moving(pictures: Sequence[Picture]) -> bool:
    """Return whether something lit moves from picture to picture, as stars or digits do on black."""
    moves = [after.differences(before, VISIBLE) >= MOVING_PLACES for before, after in pairwise(pictures)]
    return sum(moves) > MOVING_SHARE * len(moves)


def _stillness(pictures: Sequence[Picture], *, is_idle: bool) -> tuple[float, int | None]:
    """Return the share of steps that show nothing new, and the number of pictures after which they repeat, if any."""
    count = len(pictures)
    same = _is_same_when_idle if is_idle else Picture.is_same
    still = sum(same(before, after) for before, after in pairwise(pictures)) / (count - 1)
    if still == 1:
        return still, None
    # A slate that moves: after one period every picture has been there before.
    for period in range(2, count // 2 + 1):
        if all(same(pictures[i], pictures[i - period]) for i in range(period, count)):
            return 1.0, period
    return still, None


def _is_same_when_idle(one: Picture, other: Picture) -> bool:
    return one.is_same(other, IDLE_TOLERANCE) and one.differences(other, SAME) <= IDLE_PLACES


def _is_one_scene(pictures: Sequence[Picture]) -> bool:
    return all(after.is_same(before, VISIBLE) for before, after in pairwise(pictures))
