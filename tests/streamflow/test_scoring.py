from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from streamflow.config import Scoring, Weights
from streamflow.records import Result
from streamflow.scoring import score

DEFAULT = Scoring()


def measured(**fields: Any) -> Result:
    known: dict[str, Any] = {
        "stream_id": 1, "checked_at": datetime(2026, 1, 1, tzinfo=UTC), "verdict": "ok", "width": 1920, "height": 1080,
        "fps": 25.0, "video_codec": "h264", "bitrate_kbps": 6000,
    }  # fmt: skip
    return Result(**(known | fields))


def test_the_default_formula_weighs_bitrate_resolution_frame_rate_and_codec() -> None:
    assert score(measured(), DEFAULT) == pytest.approx(0.40 * 0.75 + 0.35 * 1.0 + 0.15 * 25 / 60 + 0.10 * 0.8, abs=1e-4)


@pytest.mark.parametrize(
    ("width", "height", "share"),
    [(3840, 2160, 1.2), (1920, 1080, 1.0), (1920, 800, 1.0), (1280, 720, 0.7), (720, 576, 0.5), (640, 480, 0.3)],
)
def test_resolution_counts_in_steps_and_films_by_their_width(width: int, height: int, share: float) -> None:
    only = Scoring(weights=Weights(bitrate=0, resolution=1, fps=0, codec=0))
    assert score(measured(width=width, height=height), only) == pytest.approx(share)


def test_bitrate_and_rate_count_up_to_a_cap() -> None:
    assert score(measured(bitrate_kbps=90_000, fps=120), DEFAULT) == score(measured(bitrate_kbps=8000, fps=60), DEFAULT)


@pytest.mark.parametrize(
    ("codec", "prefer_h265", "share"),
    [("hevc", True, 1.0), ("av1", True, 1.0), ("h264", True, 0.8), ("h264", False, 1.0), ("hevc", False, 0.8),
     ("mpeg2video", True, 0.5)],
)  # fmt: skip
def test_the_preferred_codec_is_the_users_choice(codec: str, prefer_h265: bool, share: float) -> None:
    only = Scoring(weights=Weights(bitrate=0, resolution=0, fps=0, codec=1), prefer_h265=prefer_h265)
    assert score(measured(video_codec=codec), only) == pytest.approx(share)


def test_a_dead_stream_scores_zero_and_an_undecided_one_has_no_score() -> None:
    assert score(measured(verdict="dead", reason="http_404"), DEFAULT) == 0.0
    assert score(measured(verdict="unknown", reason="provider_busy"), DEFAULT) is None
    assert score(measured(verdict="skipped", reason="fresh"), DEFAULT) is None


def test_a_black_picture_is_worse_than_a_poor_one() -> None:
    black = score(measured(verdict="degraded", reason="black_video"), DEFAULT)
    poor = score(measured(width=640, height=480, bitrate_kbps=900), DEFAULT)
    assert black is not None and poor is not None
    assert 0 < black < poor < (score(measured(), DEFAULT) or 0)


def test_an_account_is_preferred_by_id_or_name() -> None:
    plain = score(measured(account_id=7), DEFAULT)
    assert score(measured(account_id=7), Scoring(prefer_accounts={"7": 0.2})) == pytest.approx(plain + 0.2)
    assert score(measured(account_id=7), Scoring(prefer_accounts={"North": 0.1}), "North") == pytest.approx(plain + 0.1)


def test_only_the_proportions_of_weights_matter() -> None:
    doubled = Scoring(weights=Weights(bitrate=0.8, resolution=0.7, fps=0.3, codec=0.2))
    assert score(measured(), doubled) == score(measured(), DEFAULT)
