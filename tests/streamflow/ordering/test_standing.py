"""The standing of a stream by its history."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from streamflow.config import Config
from streamflow.ordering.standing import remembered, standings
from streamflow.records import DeadMemory, Playback
from support.library import NOW, result, stored


def test_failures_from_before_the_stored_history_stay_in_the_memory() -> None:
    history = [result(1, "dead", at=NOW + timedelta(hours=hour)) for hour in (3, 2)]
    before = DeadMemory(failures=9, first_dead=NOW - timedelta(days=9), last_alive=NOW - timedelta(days=10))
    assert remembered(before, history) == before


def test_failures_are_counted_from_the_last_check_that_found_the_stream_alive() -> None:
    history = [
        result(1, "dead", at=NOW),
        result(1, "unknown", at=NOW - timedelta(hours=1)),
        result(1, "dead", at=NOW - timedelta(hours=2)),
        result(1, at=NOW - timedelta(hours=3)),
        result(1, "dead", at=NOW - timedelta(hours=4)),
    ]
    assert remembered(DeadMemory(failures=7), history) == DeadMemory(
        failures=2, first_dead=NOW - timedelta(hours=2), last_alive=NOW - timedelta(hours=3)
    )


def test_the_standing_names_verdict_reason_score_and_failures(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2, 3, 4]})
    store.runs.settle("no run", result(1, "degraded", reason="low_bitrate", width=640, height=480))
    for hours in (0, 1):
        store.runs.settle("no run", result(2, "dead", at=NOW + timedelta(hours=hours), reason="http_404"))
    store.runs.settle("no run", result(3, "unknown", reason="provider_busy"))
    found = standings(store, [1, 2, 3, 4], Config())
    assert found[1].summary.endswith(", low_bitrate")
    assert found[2].summary == "dead: http_404, 2 times in a row"
    assert found[3].summary == found[4].summary == "not decided yet"


def test_switches_away_from_a_stream_lower_its_score(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2]})
    for one in (1, 2):
        store.runs.settle("no run", result(one))
    store.results.add_playbacks([
        Playback(stream_id=1, channel_id=1, url_hash="", begun_at=NOW, ended_at=NOW + timedelta(minutes=1), breaks=1)
    ])  # fmt: skip
    found = standings(store, [1, 2], Config())
    assert (found[1].reliability, found[2].reliability) == (pytest.approx(0.9, abs=0.001), 1.0)
    assert (found[1].score or 0) < (found[2].score or 0)
