"""The estimated quality of a picture, compared with the reference implementation of ITU-T P.1203.1."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.quality import BEST_SCORE, LEAST_RATING, LEAST_SCORE, opinion_score, quality, rating, score_of
from streamflow.records import Result

# Width, height, frames a second, kbit/s, and the score O.22 of https://github.com/itu-p1203/itu-p1203 1.10.0. The first
# four scores are published there as the expected output of the example "mode0"; the program computed the others.
VECTORS = [
    (1920, 1080, 25.0, 691.72, 4.072543327408124),
    (1920, 1080, 25.0, 4158.04, 4.387760507756067),
    (1920, 1080, 25.0, 7172.66, 4.468355547928019),
    (1920, 1080, 25.0, 6593.59, 4.457277347608129),
    (426, 240, 12.0, 300, 1.0895),
    (426, 240, 25.0, 12_000, 1.5228),
    (720, 576, 12.0, 1500, 2.3914),
    (720, 576, 25.0, 300, 2.5036),
    (720, 576, 25.0, 6000, 3.2479),
    (1280, 720, 12.0, 12_000, 3.3483),
    (1280, 720, 30.0, 1500, 3.7112),
    (1280, 720, 50.0, 6000, 3.9806),
    (1920, 1080, 12.0, 300, 3.1504),
    (1920, 1080, 30.0, 6000, 4.4361),
    (1920, 1080, 50.0, 12_000, 4.5025),
]
# The reference interpolates the inverse of a cubic in a table.
TOLERANCE = 2e-4


def measured(**fields: Any) -> Result:
    known: dict[str, Any] = {
        "stream_id": 1, "checked_at": datetime(2026, 1, 1, tzinfo=UTC), "verdict": "ok", "width": 1920, "height": 1080,
        "fps": 25.0, "video_codec": "h264", "bitrate_kbps": 6000,
    }  # fmt: skip
    return Result(**(known | fields))


@pytest.mark.parametrize(("width", "height", "fps", "kbps", "score"), VECTORS)
def test_the_score_is_that_of_the_reference_implementation(
    width: int, height: int, fps: float, kbps: float, score: float
) -> None:
    assert opinion_score(width * height, fps, kbps) == pytest.approx(score, abs=TOLERANCE)


@given(score=st.floats(score_of(LEAST_RATING), BEST_SCORE))
def test_the_rating_is_the_inverse_of_the_score(score: float) -> None:
    assert score_of(rating(score)) == pytest.approx(score, abs=1e-6)


@given(pixels=st.integers(1, 1920 * 1080), fps=st.floats(0.1, 60), kbps=st.floats(0.1, 1e6))
def test_a_score_is_within_the_scale_and_grows_with_the_bitrate(pixels: int, fps: float, kbps: float) -> None:
    low, high = opinion_score(pixels, fps, kbps), opinion_score(pixels, fps, 2 * kbps)
    assert 1.0 <= low <= high + 2e-3
    assert high <= BEST_SCORE


def test_a_result_is_estimated_by_the_bitrate_of_its_video() -> None:
    assert quality(measured()) == pytest.approx(4.44)
    assert quality(measured(bitrate_kbps=9000, extra={"video_kbps": 6000})) == pytest.approx(4.44)


@pytest.mark.parametrize(("codec", "kbps"), [("hevc", 10_200), ("av1", 12_000), ("mpeg2video", 3000)])
def test_another_codec_counts_by_the_equal_bitrate_of_h264(codec: str, kbps: int) -> None:
    assert quality(measured(video_codec=codec)) == quality(measured(bitrate_kbps=kbps))


@pytest.mark.parametrize(
    "fields",
    [
        {"interlaced": True},
        {"width": 3840, "height": 2160},
        {"fps": 100.0},
        {"fps": None},
        {"bitrate_kbps": None},
        {"width": None, "height": None, "video_codec": None, "fps": None},
        {"video_codec": "vvc"},
        {"verdict": "dead", "reason": "undecodable"},
        {"verdict": "degraded", "reason": "black_video"},
        {"verdict": "degraded", "reason": "frozen_video"},
    ],
)
def test_a_result_outside_of_the_model_has_no_quality(fields: dict[str, Any]) -> None:
    assert quality(measured(**fields)) is None


def test_the_least_score_is_kept_without_a_picture_to_speak_of() -> None:
    assert opinion_score(1, 1, 0.1) == pytest.approx(LEAST_SCORE, abs=0.01)
