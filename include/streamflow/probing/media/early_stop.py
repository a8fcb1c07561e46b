"""Early stop: whether a healthy sample may end before its time, because more of it would not change its result.

It may when its second half measures like its first, and nothing in it needs more evidence: no two pictures are the
same, none is dark, something was heard, and nothing was lost or damaged.
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


def can_stop_early(
    measurement: Measurement, steps: Sequence[float], marks: Sequence[Mark], *, wants_sound: bool
) -> bool:
    """Return whether the sample so far is as good as the whole one.

    :param steps: seconds from frame to frame of the main track.
    :param marks: the places of its packets.
    :param wants_sound: whether there is sound to be heard.
    """
    levels = measurement.levels
    return (
        not (measurement.decode_errors or measurement.discontinuities or measurement.headers.continuity_errors)
        and measurement.formats <= 1
        and _is_lively(measurement)
        and (not wants_sound or ((levels.silent_ratio or 0.0) < SILENT_SHARE and levels.frames > 0))
        and (not measurement.has_video or _same_rate(steps, bool(measurement.format.interlaced)))
        and _same_bitrate(marks)
    )


def _is_lively(measurement: Measurement) -> bool:
    if not measurement.has_video:
        return True
    pictures = measurement.pictures
    if len(pictures) < LEAST_PICTURES or any(picture.is_dark for picture in pictures):
        return False
    return not any(one.is_same(other) for one, other in combinations(pictures, 2))


def _same_rate(steps: Sequence[float], interlaced: bool) -> bool:
    middle = len(steps) // 2
    first, second = (timing.frame_rate(half, interlaced)[0] for half in (steps[:middle], steps[middle:]))
    return first is not None and first == second


def _same_bitrate(marks: Sequence[Mark]) -> bool:
    middle = len(marks) // 2
    first, second = timing.bitrate(marks[: middle + 1]), timing.bitrate(marks[middle:])
    return bool(first and second) and abs((second or 0) - (first or 0)) <= DRIFT * (first or 0)
