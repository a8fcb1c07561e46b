"""Runs in every store."""

from __future__ import annotations

from datetime import timedelta

from streamflow.records import AccountShare, Move
from streamflow.udi import bounds
from streamflow.udi.ports import Store
from support.udi_records import NOW, change, library, planned, result


def test_an_unknown_run_is_empty(store: Store) -> None:
    assert store.runs.state("none") is None
    assert store.runs.newest() == store.runs.unfinished_channels("none") == store.runs.unsettled_streams("none") == []
    store.runs.close("none", {}, NOW)
    assert store.runs.state("none") is None


def test_a_planned_run_waits_for_all_its_streams(store: Store) -> None:
    run = planned().model_copy(update={"params": {"force": True}, "skipped": {13: "fresh"}, "remaining": 4})
    store.runs.open(run)
    state = store.runs.state("run")
    assert state.run == run
    assert state.streams == {10: "pending", 11: "pending", 12: "pending"}
    assert (state.verdicts, state.reasons, state.finished_channels) == ({}, {}, {})
    assert (state.finished_at, state.summary) == (None, None)
    assert store.runs.unsettled_streams("run") == [10, 11, 12]
    assert store.runs.unfinished_channels("run") == [1, 2]
    assert store.runs.newest() == ["run"]


def test_a_channel_is_ready_after_its_last_stream(store: Store) -> None:
    store.runs.open(planned())
    assert store.runs.settle("run", result(11, "dead", reason="no_data")) == []
    assert store.runs.settle("run", result(10)) == [1]
    assert store.runs.unsettled_streams("run") == [12]
    assert store.runs.settle("run", result(12)) == [2]
    state = store.runs.state("run")
    assert state.streams == {10: "ok", 11: "dead", 12: "ok"}
    assert state.verdicts == {"ok": 2, "dead": 1}
    assert state.reasons == {"no_data": 1}
    assert store.results.latest(11).reason == "no_data"
    assert store.results.history(10) == [result(10)]


def test_one_stream_can_complete_several_channels(store: Store) -> None:
    store.runs.open(planned(channels={1: (10,), 2: (10,), 3: (10, 11)}))
    assert store.runs.settle("run", result(10)) == [1, 2]
    assert store.runs.settle("run", result(11)) == [3]


def test_a_stream_without_a_channel_is_settled(store: Store) -> None:
    store.runs.open(planned(channels={}).model_copy(update={"stream_ids": (10,)}))
    assert store.runs.settle("run", result(10)) == []
    assert store.runs.unsettled_streams("run") == []


def test_the_plan_decides_the_channels_of_a_stream(store: Store) -> None:
    store.publish(library(channels={1: (12,), 9: (10,)}))
    store.runs.open(planned(channels={1: (10,)}))
    assert store.runs.settle("run", result(10)) == [1]


def test_settling_again_returns_ready_channels_until_they_are_finished(store: Store) -> None:
    store.runs.open(planned())
    store.runs.settle("run", result(11))
    for _ in range(3):
        assert store.runs.settle("run", result(10)) == [1]
    store.runs.finish_channel(change(1))
    assert store.runs.settle("run", result(10)) == []
    assert store.runs.settle("run", result(11)) == []
    assert store.runs.settle("run", result(12)) == [2]
    assert len(store.results.history(10)) == 1


def test_a_settled_stream_settles_its_twins_and_their_channels(store: Store) -> None:
    run = planned(channels={1: (10, 11), 2: (12,), 3: (13, 10)})
    run = run.model_copy(update={"stream_ids": (10, 11), "twins": {10: (12, 13)}})
    store.runs.open(run)
    assert store.runs.state("run").run == run
    assert store.runs.unsettled_streams("run") == [10, 11]
    found = result(10, "dead", reason="http_404", label_mismatch="named 4K, measured 1080p")
    for _ in range(2):
        assert store.runs.settle("run", found) == [2, 3]
    assert store.results.latest_of([10, 12, 13]) == {
        10: found,
        12: found.model_copy(update={"stream_id": 12, "label_mismatch": None}),
        13: found.model_copy(update={"stream_id": 13, "label_mismatch": None}),
    }
    assert len(store.results.history(12)) == 1
    assert store.results.streams_of_verdict("dead") == [10, 12, 13]
    assert store.runs.state("run").streams == {10: "dead", 11: "pending"}
    assert store.runs.settle("run", result(11)) == [1]


def test_a_run_that_is_opened_again_has_its_own_twins(store: Store) -> None:
    for twins in ({10: (12,)}, {10: (13,)}):
        run = planned(channels={1: (10,)})
        store.runs.open(run.model_copy(update={"stream_ids": (10,), "twins": twins}))
    store.runs.settle("run", result(10))
    assert store.results.latest_of([12, 13]).keys() == {13}


def test_an_older_result_does_not_replace_the_state_of_a_settled_stream(store: Store) -> None:
    store.runs.open(planned())
    store.runs.settle("run", result(10, "ok", minutes=5))
    store.runs.settle("run", result(10, "dead", reason="no_data", minutes=3))
    state = store.runs.state("run")
    assert (state.streams[10], state.verdicts, state.reasons) == ("ok", {"ok": 1}, {})
    assert [past.verdict for past in store.results.history(10)] == ["ok", "dead"]


def test_a_changed_version_of_an_older_result_replaces_the_state_in_its_run(store: Store) -> None:
    store.runs.open(planned())
    store.runs.settle("run", result(10, "dead"))
    store.runs.settle("another run", result(10, "ok", minutes=5, run_id="another run"))
    store.runs.settle("run", result(10, "unknown", reason="source_unavailable"))
    assert store.runs.state("run").streams[10] == "unknown"
    assert store.results.latest(10).verdict == "ok"


def test_an_older_result_settles_a_stream_that_another_run_checked_meanwhile(store: Store) -> None:
    store.runs.open(planned())
    store.runs.settle("another run", result(10, "ok", minutes=5))
    store.runs.settle("run", result(10, "dead", minutes=3))
    assert store.runs.state("run").streams[10] == "dead"
    assert store.results.latest(10).verdict == "ok"


def test_a_result_for_an_unknown_run_or_an_unplanned_stream_is_stored(store: Store) -> None:
    store.runs.open(planned())
    assert store.runs.settle("none", result(10)) == []
    assert store.runs.settle("run", result(99)) == []
    assert store.runs.state("none") is None
    assert 99 not in store.runs.state("run").streams
    assert store.results.latest_of([10, 99]) == {10: result(10), 99: result(99)}


def test_a_finished_channel_is_stored_in_its_run_and_its_log(store: Store) -> None:
    store.runs.open(planned())
    move = Move(stream_id=11, before=1, after=0, why="score 0.80")
    done = change(1, moves=(move,), conflict="x")
    store.runs.finish_channel(done)
    store.runs.finish_channel(done)
    assert store.runs.unfinished_channels("run") == [2]
    assert store.runs.state("run").finished_channels == {1: done}
    assert store.runs.changes(1, 1) == [done]
    assert store.runs.changes(2) == []


def test_a_channel_without_a_known_run_is_only_logged(store: Store) -> None:
    store.runs.open(planned())
    for run_id in (None, "none"):
        store.runs.finish_channel(change(1, run_id))
    store.runs.finish_channel(change(9))
    assert store.runs.state("none") is None
    assert store.runs.state("run").finished_channels == {}
    assert store.runs.unfinished_channels("run") == [1, 2]
    assert store.runs.changes(9, 1) == [change(9)]


def test_changes_are_returned_newest_first_in_any_order_of_arrival(store: Store) -> None:
    for minutes in (1, 5, 3):
        store.runs.finish_channel(change(1, minutes=minutes))
    assert store.runs.changes(1, 1) == [change(1, minutes=5)]
    assert store.runs.changes(1) == [change(1, minutes=minutes) for minutes in (5, 3, 1)]
    assert store.runs.changes(1, 2) == store.runs.changes(1)[:2]
    assert (store.runs.changes(1, 0), store.runs.changes(2)) == ([], [])


def test_an_unchanged_order_is_not_logged(store: Store) -> None:
    store.runs.open(planned())
    store.runs.finish_channel(change(1, None, minutes=-1))
    right = change(1, before=(10, 11), after=(10, 11))
    store.runs.finish_channel(right)
    assert store.runs.state("run").finished_channels == {1: right}
    assert store.runs.changes(1, 1) == [change(1, None, minutes=-1)]
    failed = change(1, minutes=1, before=(10, 11), after=(10, 11), conflict="no channel 1")
    store.runs.finish_channel(failed)
    assert store.runs.changes(1, 1) == [failed]


def test_the_log_of_a_channel_is_bounded(store: Store) -> None:
    for minutes in range(bounds.CHANGES + 3):
        store.runs.finish_channel(change(1, minutes=minutes))
    assert store.runs.changes(1, 1) == [change(1, minutes=bounds.CHANGES + 2)]


def test_a_closed_run_keeps_its_summary(store: Store) -> None:
    store.runs.open(planned())
    end = NOW + timedelta(hours=1, microseconds=5)
    store.runs.close("run", {"verdicts": {"ok": 1}}, end)
    state = store.runs.state("run")
    assert state.finished_at == end
    assert state.summary == {"verdicts": {"ok": 1}}


def test_a_run_that_is_opened_again_is_replaced(store: Store) -> None:
    store.runs.open(planned())
    store.runs.settle("run", result(10))
    store.runs.finish_channel(change(1))
    store.runs.close("run", {}, NOW)
    store.runs.open(planned(channels={3: (10,)}))
    state = store.runs.state("run")
    assert (state.streams, state.finished_channels, state.finished_at) == ({10: "pending"}, {}, None)
    assert store.runs.newest() == ["run"]
    assert store.runs.settle("run", result(10)) == [3]


def test_runs_are_listed_newest_first(store: Store) -> None:
    for minutes, run_id in ((1, "b"), (0, "a"), (2, "manual__2026-01-02T03:04:05+00:00")):
        store.runs.open(planned(run_id, minutes=minutes))
    assert store.runs.newest() == ["manual__2026-01-02T03:04:05+00:00", "b", "a"]
    assert store.runs.newest(1) == ["manual__2026-01-02T03:04:05+00:00"]
    assert store.runs.newest(0) == []


def test_pruning_keeps_the_newest_runs(store: Store) -> None:
    for minutes in range(5):
        store.runs.open(planned(f"run {minutes}", minutes=minutes))
    assert store.prune(runs=2)["runs"] == 3
    assert store.runs.newest() == ["run 4", "run 3"]
    assert store.runs.state("run 0") is None
    assert store.runs.unsettled_streams("run 0") == []
    assert store.runs.state("run 4") is not None


def test_pruning_deletes_old_runs(store: Store) -> None:
    store.runs.open(planned("old", minutes=-60 * 24 * 31))
    store.runs.open(planned())
    assert store.prune()["runs"] == 1
    assert store.runs.newest() == ["run"]


def test_the_streams_of_an_account_in_a_run_are_found_by_an_index(store: Store) -> None:
    assert store.runs.share_of("run", [1]) is None
    run = planned().model_copy(update={"accounts": {1: (10, 11), 2: (12,)}, "alive": {1: (11,)}})
    store.runs.open(run)
    assert store.runs.share_of("run", [1]) == AccountShare(stream_ids=(10, 11), alive=(11,))
    both = store.runs.share_of("run", [2, 1, 7])
    assert (sorted(both.stream_ids), both.alive) == ([10, 11, 12], (11,))
    assert store.runs.share_of("run", [7]) is store.runs.share_of("another", [1]) is None


def test_the_rest_of_a_run_is_skipped_without_new_results(store: Store) -> None:
    store.runs.settle("another", result(11, run_id="another"))
    store.runs.open(planned())
    store.runs.settle("run", result(10))
    store.runs.skip("run", "window_closed")
    state = store.runs.state("run")
    assert state.streams == {10: "ok", 11: "skipped", 12: "skipped"}
    assert state.reasons == {"window_closed": 2}
    assert store.runs.unsettled_streams("run") == []
    assert store.runs.unfinished_channels("run") == [1, 2]
    assert store.results.latest(11).run_id == "another"
    assert store.results.latest(12) is None
    store.runs.skip("none", "window_closed")
