"""The quality of a picture as a mean opinion score (1 to 5), estimated by ITU-T P.1203.1, mode 0.

Mode 0 uses size, frame rate and bitrate alone: it neither sees the picture nor knows the encoder. The formulas and
coefficients are those of Recommendation ITU-T P.1203.1 (10/2017), for a screen of 1920x1080. The standard covers
progressive H.264 of up to 1920x1080 and 30 frames a second. Two things go beyond it: other codecs count by the bitrate
of H.264 with the same quality (:data:`streamflow.scoring.H264_EQUIVALENTS`), and 50 or 60 frames a second are put into
the same formulas.
"""

from __future__ import annotations

import math

from streamflow.records import Result
from streamflow.scoring import H264_EQUIVALENTS

SCREEN_PIXELS = 1920 * 1080
# A rate above this is a fault of the measurement, or no television.
MOST_FPS = 60.5
# The reasons of streams whose picture says nothing, whatever its bitrate.
WITHOUT_PICTURE = frozenset({"black_video", "frozen_video"})
# The range of the opinion scores that the formulas know.
LEAST_SCORE, BEST_SCORE = 1.05, 4.9
# The scale of degradations: 0 for none. Below this rating the cubic between ratings and scores is not monotonic.
FULL, LEAST_RATING = 100.0, 3.2
# Below this frame rate movement looks jerky.
SMOOTH_FPS = 24.0


def quality(result: Result) -> float | None:
    """Return the estimated mean opinion score of a result's picture, from 1 to 5.

    :returns: None where the model does not apply: nothing to watch, a picture that is black, frozen, interlaced or
        larger than 1920x1080, an unknown codec, or a missing figure.
    """
    factor = 1.0 if result.video_codec == "h264" else H264_EQUIVALENTS.get(result.video_codec or "")
    pixels = (result.width or 0) * (result.height or 0)
    # The sound and the filling of a constant bitrate are no picture.
    kbps = result.extra.get("video_kbps") or result.bitrate_kbps
    if not (result.is_working and factor and pixels and kbps and result.fps):
        return None
    is_outside = result.interlaced or pixels > SCREEN_PIXELS or result.fps > MOST_FPS
    if is_outside or result.reason in WITHOUT_PICTURE:
        return None
    return round(opinion_score(pixels, result.fps, kbps * factor), 2)


def opinion_score(pixels: int, fps: float, kbps: float) -> float:
    """Return the score O.22 of ITU-T P.1203.1, mode 0, from 1.05 to 4.9.

    :param pixels: the points of the coded picture.
    :param kbps: the bitrate of the video in H.264, in kbit/s.
    """
    quantization = 11.9983519 - 2.99991847 * math.log(
        41.24751 + math.log(kbps) + math.log(kbps**2 / (pixels * fps) + 0.13183165)
    )
    coding = FULL - rating(4.66 - 0.07 * math.exp(4.06 * quantization))
    scaling = min(FULL, 72.61 * math.log10(0.32 * (max(SCREEN_PIXELS / pixels, 1.0) - 1.0) + 1.0))
    jerkiness = 0.0
    if fps < SMOOTH_FPS:
        jerkiness = max(0.0, (FULL - coding - scaling) * (30.98 - 1.29 * fps) / (64.65 + fps))
    return score_of(FULL - coding - scaling - jerkiness)


def score_of(rating: float) -> float:
    """Return the opinion score of a rating from 0 to 100 (ITU-T P.1203.1, as the E-model in ITU-T G.107, annex B)."""
    if rating <= 0:
        return LEAST_SCORE
    if rating >= FULL:
        return BEST_SCORE
    return LEAST_SCORE + (BEST_SCORE - LEAST_SCORE) * rating / FULL + rating * (rating - 60) * (FULL - rating) * 7e-6


def rating(score: float) -> float:
    """Return the rating from 0 to 100 of an opinion score: the inverse of :func:`score_of`, by bisection."""
    if score <= LEAST_SCORE:
        return 0.0
    low, high = LEAST_RATING, FULL
    while high - low > 1e-6:
        middle = (low + high) / 2
        if score_of(middle) < score:
            low = middle
        else:
            high = middle
    return high
