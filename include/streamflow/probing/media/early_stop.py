"""Early stop: whether a healthy sample may end before its time, because more of it would not change its result.

It may when nothing in it needs more evidence (no two pictures are the same, none is dark, something was heard, nothing
was lost or damaged), when its frame rate holds, and when the rest of the sample would move its bitrate by less than a
tenth. A sample that agrees with what is known of an unchanged stream needs less of all this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import mean, stdev

from streamflow.probing.media import timing
from streamflow.probing.media.figures import Figures
from streamflow.probing.media.measurement import Measurement
from streamflow.probing.target import KnownFigures

# The largest difference between the bitrate of a short sample and that of the whole one, as a share.
DRIFT = 0.1
LEAST_PICTURES, LEAST_KNOWN_PICTURES = 3, 2
SILENT_SHARE = 0.5
# Bitrates are compared by windows of about a second, from key frame to key frame where these are dense enough.
WINDOW_SECONDS = 0.9
LEAST_WINDOWS = 3
# Student's t for 95 % (two-sided), by degrees of freedom from 2 on; later values hardly differ.
_STUDENT = (4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)


def can_stop_early(
    measurement: Measurement,
    figures: Figures,
    *,
    wants_sound: bool,
    sample_seconds: float,
    known: KnownFigures | None = None,
) -> bool:
    """Return whether the sample so far is as good as the whole one.

    :param figures: the time stamps and places of its packets.
    :param wants_sound: whether there is sound to be heard.
    :param sample_seconds: the length of the whole sample.
    :param known: the figures of the stream at its last good check, which the sample has to confirm; None where they
        are not known, so that the sample has to speak for itself.
    """
    levels = measurement.levels
    is_flawless = not (
        measurement.decode_errors or measurement.discontinuities or measurement.headers.continuity_errors
    )
    is_heard = not wants_sound or ((levels.silent_ratio or 0.0) < SILENT_SHARE and levels.frames > 0)
    if not (is_flawless and is_heard and measurement.formats <= 1):
        return False
    if known is not None:
        return agrees(measurement, known) and _is_lively(measurement, LEAST_KNOWN_PICTURES)
    return (
        _is_lively(measurement, LEAST_PICTURES)
        and (not measurement.has_video or _same_rate(figures.clock.steps, bool(measurement.format.interlaced)))
        and bitrate_error(figures, sample_seconds) <= DRIFT
    )


def agrees(measurement: Measurement, known: KnownFigures) -> bool:
    """Return whether a sample measures the stream that is known."""
    video, rate = measurement.format, measurement.bitrate_kbps
    if (video.codec, video.width, video.height) != (known.video_codec, known.width, known.height):
        return False
    if measurement.fps != known.fps or tuple(track.codec for track in measurement.audio) != known.audio_codecs:
        return False
    return rate is not None and abs(rate - known.bitrate_kbps) <= DRIFT * known.bitrate_kbps


def bitrate_error(figures: Figures, sample_seconds: float) -> float:
    """Return by how much the rest of the sample may move its mean bitrate, as a share, with 95 % confidence.

    The windows so far are a sample without replacement of those in the whole sample, so that the confidence interval of
    their mean has the finite population correction (Cochran, "Sampling Techniques", 2.6).
    """
    rates = next((rates for rates in figures.window_rates(WINDOW_SECONDS) if len(rates) >= LEAST_WINDOWS), None)
    if rates is None:
        return math.inf
    count = len(rates)
    whole = max(count, count * sample_seconds / max(figures.media_s, WINDOW_SECONDS))
    student = _STUDENT[min(count - 2, len(_STUDENT)) - 1]
    return student * stdev(rates) / math.sqrt(count) * math.sqrt(1 - count / whole) / mean(rates)


def _is_lively(measurement: Measurement, least: int) -> bool:
    if not measurement.has_video:
        return True
    pictures = measurement.pictures
    if len(pictures) < least or any(picture.is_dark for picture in pictures):
        return False
    return not any(one.is_same(other) for one, other in combinations(pictures, 2))


def _same_rate(steps: Sequence[float], interlaced: bool) -> bool:
    middle = len(steps) // 2
    first, second = (timing.frame_rate(half, interlaced)[0] for half in (steps[:middle], steps[middle:]))
    return first is not None and first == second
