from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streamflow.config import Scoring, Weights
from streamflow.records import AudioTrack, Playback, Result, Verdict
from streamflow.scoring import reliability, reliable_score, score

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


@pytest.mark.parametrize(
    ("bitrate", "share"), [(0, 0.0), (4000, 0.5), (8000, 1.0), (16_000, 1.1), (32_000, 1.2), (90_000, 1.2)]
)
def test_bitrate_counts_in_full_up_to_8000_and_little_above(bitrate: int, share: float) -> None:
    only = Scoring(weights=Weights(bitrate=1, resolution=0, fps=0, codec=0))
    assert score(measured(bitrate_kbps=bitrate), only) == pytest.approx(share)


def test_the_frame_rate_counts_up_to_60() -> None:
    assert score(measured(fps=120), DEFAULT) == score(measured(fps=60), DEFAULT)


@pytest.mark.parametrize(
    ("codec", "equivalent"), [("hevc", 3400), ("av1", 4000), ("mpeg2video", 1000), ("h264", 2000), ("vp9", 2000)]
)
def test_bitrates_count_in_h264_equivalents(codec: str, equivalent: int) -> None:
    only = Weights(bitrate=1, resolution=0, fps=0, codec=0)
    same = score(measured(bitrate_kbps=equivalent), Scoring(weights=only))
    assert score(measured(video_codec=codec, bitrate_kbps=2000), Scoring(weights=only)) == pytest.approx(same)
    plain = Scoring(weights=only, bitrate_by_codec=False)
    assert score(measured(video_codec=codec, bitrate_kbps=2000), plain) == pytest.approx(0.25)


def test_hdr_surround_sound_and_a_fast_start_come_on_top() -> None:
    plain = score(measured(), DEFAULT) or 0.0
    surround = (AudioTrack(codec="aac", channels=2), AudioTrack(codec="ac3", channels=6))
    assert score(measured(hdr="hlg"), DEFAULT) == pytest.approx(plain + 0.05)
    assert score(measured(audio=surround), DEFAULT) == pytest.approx(plain + 0.05)
    assert score(measured(audio=surround[:1], first_frame_ms=100), DEFAULT) == plain
    fast = Scoring(weights=Weights(start=0.1))
    assert score(measured(first_frame_ms=2500), fast) == pytest.approx(plain + 0.05)
    assert score(measured(first_frame_ms=9000), fast) == plain


def nights(*verdicts: Verdict) -> list[Result]:
    """One result a night, newest first."""
    at = datetime(2026, 1, 31, tzinfo=UTC)
    return [measured(verdict=verdict, checked_at=at - timedelta(days=night)) for night, verdict in enumerate(verdicts)]


def test_reliability_is_the_share_of_working_checks_weighted_by_age() -> None:
    assert reliability([], 14) == reliability(nights("ok", "degraded"), 14) == 1.0
    assert reliability(nights("dead", "unknown", "dead"), 14) == 0.0
    assert reliability(nights("ok", "dead"), 1) == pytest.approx(1 / 1.5)
    assert reliability(nights("ok", *["dead"] * 9), 10_000) == pytest.approx(0.1, abs=1e-3)


def test_playbacks_that_broke_lower_reliability_like_failed_checks() -> None:
    at = datetime(2026, 1, 31, tzinfo=UTC)

    def played(minutes: float, breaks: int = 0) -> Playback:
        begin = at - timedelta(minutes=minutes)
        return Playback(stream_id=1, channel_id=1, url_hash="", begun_at=begin, ended_at=at, breaks=breaks)

    assert reliability(nights("ok"), 14, [played(1, breaks=1)]) == 0.5
    assert reliability(nights("dead"), 14, [played(30)]) == 0.5
    # A short playback without a break says nothing.
    assert reliability(nights("ok"), 14, [played(1)]) == reliability(nights("ok"), 14, [played(30)]) == 1.0
    assert reliability([], 14, [played(1, breaks=3)]) == 0.0


def test_a_stream_that_was_dead_nine_of_ten_nights_loses_its_place() -> None:
    history = nights("ok", *["dead"] * 9)
    assert reliable_score(0.8, history, DEFAULT) == pytest.approx(0.8 * (1 - 0.2 * 0.87), abs=0.01)
    assert reliable_score(0.8, nights(*["ok"] * 10), DEFAULT) == 0.8
    assert reliable_score(0.8, history, Scoring(reliability_weight=0)) == 0.8


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
