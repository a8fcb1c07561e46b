"""Settling: whether a healthy sample may end before its time, because nothing that came later would change its result.

It may when its second half measures as its first did, and nothing in it needs more evidence: no two pictures are the
same, none is black, something was heard, and nothing was lost or damaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from streamflow.probing.media import timing
from streamflow.probing.media.measurement import Measurement
from streamflow.probing.media.timing import Mark

# Bitrates that differ by less are those of one stream.
DRIFT = 0.1
LEAST_PICTURES = 3
SILENT_SHARE = 0.5


def can_stop_early(found: Measurement, steps: Sequence[float], marks: Sequence[Mark], *, wants_sound: bool) -> bool:
    """Whether the sample so far is as good as the whole one.

    :param steps: seconds from frame to frame of the main stream.
    :param marks: where its packets stood.
    """
    return (
        not (found.decode_errors or found.discontinuities or found.headers.continuity_errors)
        and _is_lively(found)
        and (not wants_sound or ((found.sound.silent_ratio or 0.0) < SILENT_SHARE and found.sound.frames > 0))
        and (not found.has_video or _same_rate(steps, bool(found.interlaced)))
        and _same_bitrate(marks)
    )


def _is_lively(found: Measurement) -> bool:
    if not found.has_video:
        return True
    pictures = found.pictures
    if len(pictures) < LEAST_PICTURES or any(picture.is_black for picture in pictures):
        return False
    return not any(one.is_same(other) for one, other in combinations(pictures, 2))


def _same_rate(steps: Sequence[float], interlaced: bool) -> bool:
    middle = len(steps) // 2
    first, second = (timing.frame_rate(list(half), interlaced)[0] for half in (steps[:middle], steps[middle:]))
    return first is not None and first == second


def _same_bitrate(marks: Sequence[Mark]) -> bool:
    middle = len(marks) // 2
    first, second = timing.bitrate(marks[: middle + 1]), timing.bitrate(marks[middle:])
    return bool(first and second) and abs((second or 0) - (first or 0)) <= DRIFT * (first or 0)
