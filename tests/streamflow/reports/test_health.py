"""The health report of a run, over a store with a small library."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamflow.records import Account, Run
from streamflow.reports.health import HealthReport, report
from streamflow.udi.ports import Store
from support.library import NOW, result, stored, stream

ACCOUNTS = (Account(id=1, name="one"), Account(id=2, name="two"))
SAME = "http://provider.test/live/u/secret/9.ts"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    streams = [
        stream(1, group_id=10),
        stream(2, group_id=10),
        stream(3, 2, group_id=20),
        stream(4, 2, group_id=20, url=SAME),
        stream(5, None, url=SAME),
        stream(6, 2, url=SAME),
    ]
    return stored(tmp_path, {1: [1, 2], 2: [3, 4], 3: [5]}, accounts=ACCOUNTS, streams=streams)


def reported(store: Store) -> HealthReport:
    run = Run(
        run_id="r",
        started_at=NOW,
        mode="concurrent",
        stream_ids=(1, 2, 3, 4, 5),
        channels={1: (1, 2), 2: (3, 4), 3: (5,)},
        twins={4: (6,)},
    )
    store.runs.open(run)
    store.runs.settle("r", result(1, run_id="r", score=0.8, label_mismatch="named 4K, measured 720p"))
    store.runs.settle("r", result(2, "dead", run_id="r", reason="http_404", score=0.0))
    store.runs.settle("r", result(3, "dead", run_id="r", reason="no_data", score=0.0, account_id=2))
    store.runs.settle("r", result(4, "dead", run_id="r", reason="http_404", score=0.0, account_id=2))
    store.runs.settle("r", result(5, "unknown", run_id="r", reason="provider_busy", account_id=None))
    state = store.runs.state("r")
    assert state
    return report(store, state)


def test_each_account_and_group_has_its_share_of_working_streams(store: Store) -> None:
    found = reported(store)
    assert (found.total.streams, found.total.decided, found.total.working, found.total.share_working) == (6, 5, 1, 0.2)
    assert [(one.name, one.decided, one.share_working) for one in found.accounts] == [
        ("two", 3, 0.0),
        ("one", 2, 0.5),
        ("none", 0, None),
    ]
    assert {one.id: one.share_working for one in found.groups} == {10: 0.5, 20: 0.0, None: 0.0}


def test_the_worst_channel_comes_first_and_an_undecided_one_is_left_out(store: Store) -> None:
    found = reported(store).worst_channels
    assert [(one.channel_id, one.working, one.best_score) for one in found] == [(2, 0, 0.0), (1, 1, 0.8)]


def test_mislabelled_streams_and_duplicates_are_listed_without_their_url(store: Store) -> None:
    found = reported(store)
    assert [(one.stream_id, one.label_mismatch) for one in found.mislabelled] == [(1, "named 4K, measured 720p")]
    assert [(one.stream_ids, one.channel_ids) for one in found.duplicates] == [([4, 5, 6], [2, 3])]
    assert "secret" not in found.model_dump_json()


def test_a_run_without_any_decided_stream_has_a_report(store: Store) -> None:
    store.runs.open(Run(run_id="new", started_at=NOW, mode="concurrent", stream_ids=(1,), channels={1: (1,)}))
    state = store.runs.state("new")
    assert state
    found = report(store, state)
    assert (found.total.share_working, found.worst_channels, found.finished_at) == (None, [], None)


def test_a_stream_that_nobody_can_watch_does_not_count_as_working(store: Store) -> None:
    run = Run(run_id="black", started_at=NOW, mode="concurrent", stream_ids=(1, 2), channels={1: (1, 2)})
    store.runs.open(run)
    store.runs.settle("black", result(1, "degraded", run_id="black", reason="black_video"))
    store.runs.settle("black", result(2, "degraded", run_id="black", reason="low_bitrate"))
    state = store.runs.state("black")
    assert state
    found = report(store, state, ("black_video",))
    assert (found.total.decided, found.total.working, found.total.share_working) == (2, 1, 0.5)
    assert [(one.channel_id, one.working) for one in found.worst_channels] == [(1, 1)]
    assert report(store, state).worst_channels == []
