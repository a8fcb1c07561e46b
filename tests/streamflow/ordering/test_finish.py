from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streamflow.config import Config, DeadStreams
from streamflow.errors import SourceConflict, SourceUnavailable, UnknownRecord
from streamflow.ordering.finish import explain, finish, remembered, standings
from streamflow.records import ChannelChange, DeadMemory, Move, Result
from streamflow.udi.ports import Store
from support.library import NOW, result, stored, stream

GOOD = {"width": 1920, "height": 1080, "bitrate_kbps": 6000}


class Channels:
    """Dispatcharr's side: orders and statistics in memory, with a user who edits behind one's back."""

    def __init__(self, orders: dict[int, tuple[int, ...]]) -> None:
        self.orders = orders
        self.stats: dict[int, dict[str, Any]] = {}
        self.writes = 0
        self.edits: list[tuple[int, ...]] = []

    def order(self, channel_id: int) -> tuple[int, ...]:
        if channel_id not in self.orders:
            raise UnknownRecord(f"no channel {channel_id}")
        return self.orders[channel_id]

    def write_order(self, channel_id: int, before: Sequence[int], after: Sequence[int]) -> None:
        if self.edits:
            self.orders[channel_id] = self.edits.pop()
        if self.orders[channel_id] != tuple(before):
            raise SourceConflict(f"channel {channel_id} was changed")
        self.orders[channel_id] = tuple(after)
        self.writes += 1

    def write_stats(self, channel_id: int, stats: Mapping[int, Mapping[str, Any]], at: Mapping[int, datetime]) -> None:
        for stream_id, values in stats.items():
            assert at[stream_id]
            self.stats.setdefault(stream_id, {}).update(values)


def check(store: Store, *results: Result) -> None:
    for one in results:
        store.record(one.model_copy(update={"run_id": "run"}))


def finished(store: Store, target: Channels | None, **settings: Any) -> Any:
    return finish(store, target, 1, "run", Config.model_validate(settings))


def test_the_best_stream_comes_first_and_dead_ones_last(tmp_path: Path) -> None:
    store, target = stored(tmp_path, {1: [1, 2, 3]}), Channels({1: (1, 2, 3)})
    check(store, result(1, "dead", reason="http_404"), result(2), result(3, **GOOD))
    change = finished(store, target)
    assert target.orders[1] == change.after == (3, 2, 1)
    assert change.written
    assert {move.stream_id: move.why for move in change.moves}[1] == "dead: http_404"
    channel = store.channel(1)
    assert channel and channel.stream_ids == (3, 2, 1)


def test_ties_and_undecided_streams_keep_their_place(tmp_path: Path) -> None:
    store, target = stored(tmp_path, {1: [1, 2, 3, 4]}), Channels({1: (1, 2, 3, 4)})
    check(store, result(1), result(2, "unknown", reason="provider_busy"), result(3, **GOOD), result(4, **GOOD))
    assert finished(store, target).after == (3, 2, 4, 1)


def test_an_undecided_check_leaves_the_standing_of_the_one_before(tmp_path: Path) -> None:
    store, target = stored(tmp_path, {1: [1, 2]}), Channels({1: (1, 2)})
    check(store, result(1, at=NOW - timedelta(days=2)), result(2, at=NOW - timedelta(days=2), **GOOD))
    check(store, result(2, "unknown", reason="provider_busy"))
    assert finished(store, target).after == (2, 1)


def test_finishing_again_writes_nothing(tmp_path: Path) -> None:
    store, target = stored(tmp_path, {1: [1, 2]}), Channels({1: (1, 2)})
    check(store, result(1), result(2, **GOOD))
    first = finished(store, target)
    assert target.writes == 1
    again = finished(store, target)
    assert (target.writes, again.after, again.moves) == (1, first.after, ())


def test_without_a_target_the_change_is_only_planned(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2]})
    check(store, result(1), result(2, **GOOD))
    change = finished(store, None)
    assert (change.after, change.written) == ((2, 1), False)
    channel = store.channel(1)
    assert channel and channel.stream_ids == (1, 2)


def test_a_users_change_meanwhile_is_kept_and_planned_anew(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2]}, streams=[stream(1), stream(2), stream(3)])
    target = Channels({1: (1, 2)})
    target.edits = [(3, 1, 2)]
    check(store, result(1), result(2, **GOOD))
    assert finished(store, target).after == (3, 2, 1)
    assert target.orders[1] == (3, 2, 1)


def test_a_channel_that_changes_all_the_time_is_left_alone_and_reported(tmp_path: Path) -> None:
    store, target = stored(tmp_path, {1: [1, 2, 3]}), Channels({1: (1, 2, 3)})
    target.edits = [(1, 2, 3), (1, 3, 2)] * 4
    check(store, result(1), result(2, **GOOD), result(3, **GOOD))
    change = finished(store, target)
    assert not change.written
    assert change.conflict and "changed" in change.conflict


def test_a_channel_that_is_gone_is_finished_with_the_reason(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1]})
    check(store, result(1))
    change = finished(store, Channels({}))
    assert change.conflict == "no channel 1"


def test_an_unreachable_target_is_the_callers_to_try_again(tmp_path: Path) -> None:
    class Away(Channels):
        def order(self, channel_id: int) -> tuple[int, ...]:
            raise SourceUnavailable("Dispatcharr does not answer")

    store = stored(tmp_path, {1: [1]})
    check(store, result(1))
    with pytest.raises(SourceUnavailable):
        finished(store, Away({1: (1,)}))
    assert store.last_change(1) is None


def test_statistics_are_written_for_this_runs_results_alone(tmp_path: Path) -> None:
    store, target = stored(tmp_path, {1: [1, 2]}), Channels({1: (1, 2)})
    store.record(result(2, run_id="an earlier one"))
    check(store, result(1, **GOOD))
    finished(store, target)
    assert set(target.stats) == {1}
    assert target.stats[1]["resolution"] == "1920x1080"
    assert target.stats[1]["streamflow_verdict"] == "ok"


def dies(store: Store, target: Channels, times: int, **policy: Any) -> Any:
    change = None
    for number in range(times):
        check(store, result(1, "dead", at=NOW + timedelta(hours=number), reason="http_404"))
        change = finished(store, target, dead_streams=policy)
    return change


def test_dead_streams_are_removed_after_enough_failures_and_come_back_alive(tmp_path: Path) -> None:
    store, target = stored(tmp_path, {1: [1, 2]}), Channels({1: (1, 2)})
    check(store, result(2))
    assert dies(store, target, 1, action="remove").after == (2, 1)
    change = dies(store, target, 2, action="remove")
    assert target.orders[1] == (2,)
    assert change.moves[-1].after is None
    assert "removed, dead: http_404, 2 times" in change.moves[-1].why
    assert store.removed_streams(1) == {1: 1}
    check(store, result(1, at=NOW + timedelta(days=1), **GOOD))
    assert finished(store, target, dead_streams={"action": "remove"}).after == (1, 2)
    assert store.removed_streams(1) == {}


def test_a_channel_keeps_at_least_so_many_streams(tmp_path: Path) -> None:
    store, target = stored(tmp_path, {1: [1]}), Channels({1: (1,)})
    assert dies(store, target, 3, action="remove").after == (1,)


def test_no_action_leaves_dead_streams_where_they_are(tmp_path: Path) -> None:
    store, target = stored(tmp_path, {1: [1, 2, 3]}), Channels({1: (1, 2, 3)})
    check(store, result(2), result(3, **GOOD))
    assert dies(store, target, 3, action="none").after == (1, 3, 2)


def test_failures_are_counted_from_the_history_so_that_repetition_counts_once(tmp_path: Path) -> None:
    store, target = stored(tmp_path, {1: [1, 2]}), Channels({1: (1, 2)})
    check(store, result(1, at=NOW - timedelta(days=1)))
    dies(store, target, 2)
    finished(store, target)
    memory = store.dead_memory([1])[1]
    assert (memory.failures, memory.first_dead, memory.last_alive) == (2, NOW, NOW - timedelta(days=1))


def test_failures_before_a_bounded_historys_beginning_stay_remembered() -> None:
    history = [result(1, "dead", at=NOW + timedelta(hours=hour)) for hour in (3, 2)]
    before = DeadMemory(failures=9, first_dead=NOW - timedelta(days=9), last_alive=NOW - timedelta(days=10))
    assert remembered(before, history) == before


# -- told to people --------------------------------------------------------------------------
def test_every_move_is_a_sentence_with_its_reason(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: (1, 2, 3)})
    store.record(result(1, "dead", reason="http_404"))
    store.record(result(2))
    store.record(result(3, bitrate_kbps=8000))
    settings = Config(dead_streams=DeadStreams(action="remove", after_failures=1))
    change = finish(store, None, 1, "run", settings)
    assert explain(change, {1: "One", 2: "Two"}) == [
        f"stream 3 goes up from place 3 to 1: score {change_score(store, 3, settings):.2f}.",
        "One leaves place 1: removed, dead: http_404.",
    ]
    assert not change.written


def change_score(store: Store, stream_id: int, settings: Config) -> float:
    return standings(store, [stream_id], settings)[stream_id].score or 0.0


def test_a_change_without_moves_and_one_that_failed_say_so() -> None:
    change = ChannelChange(channel_id=1, at=NOW, before=(1,), after=(1,))
    assert explain(change, {}) == ["The order was right already."]
    assert explain(change.model_copy(update={"conflict": "channel 1 is gone"}), {}) == [
        "Nothing was changed: channel 1 is gone."
    ]


def test_a_stream_that_comes_back_is_told() -> None:
    change = ChannelChange(
        channel_id=1,
        at=NOW,
        before=(2,),
        after=(1, 2),
        moves=(Move(stream_id=1, before=None, after=0, why="score 1.00"),),
    )
    assert explain(change, {1: "One"}) == ["One comes in at place 1: score 1.00."]
