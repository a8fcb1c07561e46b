from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamflow.config import Config
from streamflow.errors import SourceUnavailable
from streamflow.ordering.finish import finish
from streamflow.records import Account, ChannelChange, Result
from streamflow.scoring import score
from streamflow.udi.ports import Store
from support.edited_channels import EditedChannels
from support.library import NOW, result, stored, stream

GOOD = {"width": 1920, "height": 1080, "bitrate_kbps": 6000}


def check(store: Store, *results: Result) -> None:
    for one in results:
        store.runs.settle("no run", one.model_copy(update={"run_id": "run"}))


def finished(store: Store, channels: EditedChannels | None, **settings: Any) -> ChannelChange:
    return finish(store, channels, 1, "run", Config.model_validate(settings))


def test_the_best_stream_comes_first_and_dead_ones_last(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1, 2, 3]}), EditedChannels({1: (1, 2, 3)})
    check(store, result(1, "dead", reason="http_404"), result(2), result(3, **GOOD))
    change = finished(store, channels)
    assert channels.orders[1] == change.after == (3, 2, 1)
    assert change.written
    assert {move.stream_id: move.why for move in change.moves}[1] == "dead: http_404"
    channel = store.library.channel(1)
    assert channel and channel.stream_ids == (3, 2, 1)


def test_ties_and_undecided_streams_keep_their_place(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1, 2, 3, 4]}), EditedChannels({1: (1, 2, 3, 4)})
    check(store, result(1), result(2, "unknown", reason="provider_busy"), result(3, **GOOD), result(4, **GOOD))
    assert finished(store, channels).after == (3, 2, 4, 1)


def test_an_undecided_check_leaves_the_standing_of_the_former_check(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1, 2]}), EditedChannels({1: (1, 2)})
    check(store, result(1, at=NOW - timedelta(days=2)), result(2, at=NOW - timedelta(days=2), **GOOD))
    check(store, result(2, "unknown", reason="provider_busy"))
    assert finished(store, channels).after == (2, 1)


def test_finishing_again_writes_nothing(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1, 2]}), EditedChannels({1: (1, 2)})
    check(store, result(1), result(2, **GOOD))
    first = finished(store, channels)
    assert channels.writes == 1
    again = finished(store, channels)
    assert (channels.writes, again.after, again.moves) == (1, first.after, ())


def test_without_a_destination_the_change_is_only_planned(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2]})
    check(store, result(1), result(2, **GOOD))
    change = finished(store, None)
    assert (change.after, change.written) == ((2, 1), False)
    channel = store.library.channel(1)
    assert channel and channel.stream_ids == (1, 2)


def test_a_concurrent_edit_is_kept_and_the_order_is_planned_again(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2]}, streams=[stream(1), stream(2), stream(3)])
    channels = EditedChannels({1: (1, 2)})
    channels.edits = [(3, 1, 2)]
    check(store, result(1), result(2, **GOOD))
    assert finished(store, channels).after == (3, 2, 1)
    assert channels.orders[1] == (3, 2, 1)


def test_a_channel_that_is_edited_at_every_try_is_skipped_and_reported(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1, 2, 3]}), EditedChannels({1: (1, 2, 3)})
    channels.edits = [(1, 2, 3), (1, 3, 2)] * 4
    check(store, result(1), result(2, **GOOD), result(3, **GOOD))
    change = finished(store, channels)
    assert not change.written
    assert change.conflict and "changed" in change.conflict
    assert change.after == change.before == (1, 2, 3)


def test_a_missing_channel_is_finished_with_the_reason(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1]})
    check(store, result(1))
    change = finished(store, EditedChannels({}))
    assert change.conflict == "no channel 1"


def test_an_unreachable_destination_leaves_the_channel_unfinished(tmp_path: Path) -> None:
    class Away(EditedChannels):
        def order(self, channel_id: int) -> tuple[int, ...]:
            raise SourceUnavailable("Dispatcharr does not answer")

    store = stored(tmp_path, {1: [1]})
    check(store, result(1))
    with pytest.raises(SourceUnavailable):
        finished(store, Away({1: (1,)}))
    assert store.runs.changes(1) == []


def test_only_this_runs_results_are_written_with_their_scores(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1, 2]}), EditedChannels({1: (1, 2)})
    store.runs.settle("no run", result(2, run_id="an earlier one"))
    check(store, result(1, **GOOD))
    finished(store, channels)
    assert set(channels.results) == {1}
    assert channels.results[1].score == score(result(1, **GOOD), Config().scoring)


def dies(store: Store, channels: EditedChannels, times: int, **policy: Any) -> ChannelChange:
    for number in range(times):
        check(store, result(1, "dead", at=NOW + timedelta(hours=number), reason="http_404"))
        change = finished(store, channels, dead_streams=policy)
    return change


def test_dead_streams_are_removed_after_enough_failures_and_come_back_when_they_work(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1, 2]}), EditedChannels({1: (1, 2)})
    check(store, result(2))
    assert dies(store, channels, 1, action="remove").after == (2, 1)
    change = dies(store, channels, 2, action="remove")
    assert channels.orders[1] == (2,)
    assert change.moves[-1].after is None
    assert "removed, dead: http_404, 2 times" in change.moves[-1].why
    assert store.results.removed_streams(1) == {1: 1}
    check(store, result(1, at=NOW + timedelta(days=1), **GOOD))
    assert finished(store, channels, dead_streams={"action": "remove"}).after == (1, 2)
    assert store.results.removed_streams(1) == {}


def test_a_channel_keeps_at_least_the_configured_number_of_streams(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1]}), EditedChannels({1: (1,)})
    assert dies(store, channels, 3, action="remove").after == (1,)


def test_no_action_leaves_dead_streams_where_they_are(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1, 2, 3]}), EditedChannels({1: (1, 2, 3)})
    check(store, result(2), result(3, **GOOD))
    assert dies(store, channels, 3, action="none").after == (1, 3, 2)


def test_finishing_again_counts_no_failure_twice(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1, 2]}), EditedChannels({1: (1, 2)})
    check(store, result(1, at=NOW - timedelta(days=1)))
    dies(store, channels, 2)
    finished(store, channels)
    memory = store.results.dead_memory([1])[1]
    assert (memory.failures, memory.first_dead, memory.last_alive) == (2, NOW, NOW - timedelta(days=1))


@pytest.mark.parametrize(
    ("fields", "safety", "order"),
    [
        ({"account_id": None}, "pin", (1, 2)),
        ({"is_custom": True}, "pin", (1, 2)),
        ({"is_custom": True}, "order", (2, 1)),
        ({"is_page": True}, "order", (1, 2)),
        ({}, "pin", (2, 1)),
    ],
)
def test_custom_streams_and_web_pages_keep_their_place(
    tmp_path: Path, fields: dict[str, Any], safety: str, order: tuple[int, ...]
) -> None:
    store = stored(tmp_path, {1: [1, 2]}, streams=[stream(1, **fields), stream(2)])
    channels = EditedChannels({1: (1, 2)})
    check(store, result(1, "dead", reason="not_media"), result(2))
    assert finished(store, channels, safety={"custom_streams": safety}).after == order


def test_the_policy_of_the_channel_orders_it(tmp_path: Path) -> None:
    streams = [stream(1, account_id=1), stream(2, account_id=2, name="Antenna 1"), stream(3, account_id=2)]
    accounts = [Account(id=1, name="A", budget="a"), Account(id=2, name="B", budget="b")]
    store = stored(tmp_path, {1: [1, 2, 3]}, streams=streams, accounts=accounts)
    channels = EditedChannels({1: (1, 2, 3)})
    check(store, result(1, **GOOD), result(2, account_id=2), result(3, account_id=2))
    other = {"match": {"groups": ["group 2"]}, "reorder": False}
    own = {"match": {"groups": ["group 1"]}, "accounts": ["B"], "pin": ["Antenna *"]}
    change = finished(store, channels, policies=[other, own])
    assert change.after == (3, 2, 1)
    assert change.moves[0].why.endswith("account B, ahead of stream 1, account A")


def test_a_stream_that_is_like_dead_is_removed_and_its_verdict_stays(tmp_path: Path) -> None:
    store, channels = stored(tmp_path, {1: [1, 2]}), EditedChannels({1: (1, 2)})
    check(store, result(2))
    policies = [{"dead_like": ["black_video"], "remove": True}]
    for hour in range(2):
        check(store, result(1, "degraded", at=NOW + timedelta(hours=hour), reason="black_video", **GOOD))
        change = finished(store, channels, policies=policies)
    assert change.after == (2,)
    assert change.moves[-1].why == "removed, dead: black_video, 2 times in a row"
    assert channels.results[1].verdict == "degraded"
    assert store.results.dead_memory([1])[1].failures == 2
