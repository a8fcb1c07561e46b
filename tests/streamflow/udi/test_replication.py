"""Machines that share no disk: each has a file store of its own, and all share one Redis."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import RedisServer
from streamflow.records import ChannelChange, DeadMemory, Run
from streamflow.sources.local_order import LocalOrder
from streamflow.udi import Udi, fallback, open_udi
from streamflow.udi.redis.keys import EVENTS
from streamflow.udi.redis.results import RedisResults
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.snapshot import Snapshot
from streamflow.udi.sqlite.store import FileStore
from support.udi_records import NOW, change, library, planned, result, stream


class Machine:
    """A machine with a home of its own."""

    def __init__(self, server: RedisServer, home: Path) -> None:
        self.home = home
        self.udi = open_udi(server.client(), home)
        self.file = FileStore(home / "udi" / "udi.db")

    def follow(self) -> int:
        return self.udi.follow()


@pytest.fixture(autouse=True)
def checks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every call check whether Redis is back."""
    monkeypatch.setattr(fallback, "RECHECK_SECONDS", 0)


@pytest.fixture
def machines(own_redis: RedisServer, tmp_path: Path) -> tuple[Machine, Machine]:
    one, two = (Machine(own_redis, tmp_path / name) for name in ("one", "two"))
    one.udi.publish(library())
    return one, two


def lose(server: RedisServer) -> None:
    """Let Redis lose all its data."""
    with server.client() as client:
        client.flushall()


def later(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def work(udi: Udi) -> None:
    """Check the streams of a run, and finish its channels."""
    udi.runs.open(planned())
    udi.runs.settle("run", result(10, "dead", reason="no_data"))
    udi.runs.settle("run", result(11))
    udi.library.reorder(1, [11, 10])
    udi.results.remember_dead({10: DeadMemory(failures=1, first_dead=NOW)})
    udi.runs.finish_channel(change(1))
    udi.runs.settle("run", result(12))
    udi.runs.finish_channel(change(2, before=(11, 12), after=(12, 11)))
    udi.runs.close("run", {"channels": 2}, NOW)


def contents(store: FileStore | RedisStore | Udi) -> dict[str, Any]:
    ids = [10, 11, 12]
    return {
        "accounts": store.library.accounts(),
        "groups": store.library.groups(),
        "streams": store.library.streams(ids),
        "channels": store.library.channels(),
        "results": store.results.latest_of(ids),
        "history": [store.results.history(i) for i in ids],
        "memory": store.results.dead_memory(ids),
        "runs": [store.runs.state(run_id) for run_id in store.runs.newest()],
        "changes": [store.runs.changes(i) for i in (1, 2)],
    }


def test_every_machine_knows_while_redis_is_away_what_the_others_wrote(
    machines: tuple[Machine, Machine], own_redis: RedisServer
) -> None:
    one, two = machines
    work(one.udi)
    assert two.follow() > 0
    expected = contents(one.udi)
    assert contents(two.file) == contents(one.file) == expected
    own_redis.kill()
    assert contents(two.udi) == expected


def test_what_is_known_is_not_copied_again(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    work(one.udi)
    assert two.follow() > 0
    assert [machine.follow() for machine in (one, two, one, two)] == [0, 0, 0, 0]
    # Not even by another process, which does not remember the last copy.
    assert open_udi(None, two.home).follow() == 0
    assert Machine.follow(replace_udi(two, one)) == 0


def replace_udi(machine: Machine, of: Machine) -> Machine:
    fresh = Machine.__new__(Machine)
    fresh.home, fresh.file = machine.home, machine.file
    redis = of.udi._fallback._redis
    assert redis
    fresh.udi = open_udi(redis._client, machine.home)
    return fresh


def test_each_machine_merges_its_own_writes_when_redis_is_back(
    machines: tuple[Machine, Machine], own_redis: RedisServer
) -> None:
    one, two = machines
    one.udi.runs.open(planned())
    two.follow()
    own_redis.kill()
    one.udi.runs.settle("run", result(10))
    two.udi.runs.settle("run", result(11))
    own_redis.start()
    one.follow()
    two.follow()
    one.follow()
    for store in (one.udi, one.file, two.file):
        state = store.runs.state("run")
        assert state
        assert state.streams == {10: "ok", 11: "ok", 12: "pending"}
        assert store.results.latest_of([10, 11]).keys() == {10, 11}


def test_a_result_that_was_settled_before_the_run_was_known_here_stays_settled(
    machines: tuple[Machine, Machine], own_redis: RedisServer
) -> None:
    one, two = machines
    one.udi.runs.open(planned())
    two.udi.runs.settle("run", result(10))
    two.follow()
    assert two.file.runs.state("run") == one.udi.runs.state("run")
    # The entry of the acknowledged result waits in the journal, and is merged once more.
    two.udi.merge()
    state = one.udi.runs.state("run")
    assert state
    assert state.streams[10] == "ok"


def test_a_withdrawn_verdict_reaches_the_other_machines(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    one.udi.runs.open(planned())
    one.udi.runs.settle("run", result(10, "dead", reason="no_data"))
    two.follow()
    withdrawn = result(10, "unknown", reason="source_unavailable")
    one.udi.runs.settle("run", withdrawn)
    two.follow()
    assert two.file.results.latest(10) == withdrawn


def test_a_machine_that_joins_gets_the_whole_history(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    for minutes in range(20):
        one.udi.runs.settle("no run", result(10, minutes=minutes))
    two.follow()
    assert two.file.results.history(10) == one.udi.results.history(10)
    assert len(two.file.results.history(10)) == 20


def test_a_redis_that_lost_its_data_is_restored_from_the_files_of_all_machines(
    machines: tuple[Machine, Machine], own_redis: RedisServer
) -> None:
    one, two = machines
    one.udi.runs.open(planned())
    two.follow()
    one.follow()
    # Neither machine has copied these from the other one when Redis loses its data.
    one.udi.runs.settle("run", result(10))
    two.udi.runs.settle("run", result(11))
    two.udi.library.reorder(1, [11, 10])
    two.udi.runs.finish_channel(change(1, written=True))
    expected = contents(one.udi)
    lose(own_redis)
    for _ in range(2):
        for machine in machines:
            machine.follow()
    assert contents(one.udi) == expected
    assert contents(one.file) == contents(two.file) == expected


def test_a_machine_without_a_library_that_filled_redis_gets_it_from_the_others(
    machines: tuple[Machine, Machine], own_redis: RedisServer
) -> None:
    one, two = machines
    work(one.udi)
    one.follow()
    expected = contents(one.udi)
    lose(own_redis)
    # It fills Redis with nothing.
    two.follow()
    one.follow()
    two.follow()
    assert contents(one.udi) == contents(two.file) == expected


def test_two_machines_that_fill_redis_at_once_lose_nothing(
    machines: tuple[Machine, Machine], own_redis: RedisServer
) -> None:
    one, two = machines
    work(one.udi)
    two.follow()
    expected = contents(one.udi)
    for _ in range(5):
        lose(own_redis)
        threads = [threading.Thread(target=machine.follow) for machine in machines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert contents(one.udi) == contents(two.udi) == expected


def test_an_order_of_another_machine_is_not_replaced_by_an_older_one_that_is_merged_late(
    machines: tuple[Machine, Machine], own_redis: RedisServer
) -> None:
    one, two = machines
    two.follow()
    own_redis.kill()
    two.udi.library.reorder(1, [11])
    two.udi.runs.finish_channel(written(1, (10, 11), (11,), minutes=0))
    own_redis.start()
    one.udi.library.reorder(1, [11, 10])
    one.udi.runs.finish_channel(written(1, (10, 11), (11, 10), minutes=1))
    two.follow()
    assert one.udi.library.channels([1])[0].stream_ids == (11, 10)
    two.follow()
    assert two.file.library.channels([1])[0].stream_ids == (11, 10)


def written(channel_id: int, before: tuple[int, ...], after: tuple[int, ...], *, minutes: float) -> ChannelChange:
    return ChannelChange(channel_id=channel_id, at=later(minutes), before=before, after=after, written=True)


def test_an_acknowledged_order_that_waits_in_the_journal_does_not_undo_a_later_refresh(
    machines: tuple[Machine, Machine],
) -> None:
    one, two = machines
    two.follow()
    two.udi.library.reorder(1, [11, 10])
    one.udi.publish(library(channels={1: (12, 10), 2: (11,)}))
    two.follow()
    for store in (one.udi, two.file):
        assert [channel.stream_ids for channel in store.library.channels()] == [(12, 10), (11,)]


def test_a_library_that_was_published_while_redis_was_away_does_not_replace_a_later_one(
    machines: tuple[Machine, Machine], own_redis: RedisServer
) -> None:
    one, two = machines
    two.follow()
    own_redis.kill()
    two.udi.publish(library(stream(10)), force=True)
    own_redis.start()
    one.udi.publish(library(stream(10), stream(11), stream(12), stream(13)))
    two.follow()
    assert one.udi.library.stream_ids() == two.file.library.stream_ids() == [10, 11, 12, 13]


def test_a_memory_of_failures_is_not_replaced_by_an_older_one_that_is_merged_late(
    machines: tuple[Machine, Machine], own_redis: RedisServer
) -> None:
    one, two = machines
    two.follow()
    own_redis.kill()
    two.udi.runs.settle("run", result(10, "dead", reason="no_data"))
    two.udi.results.remember_dead({10: DeadMemory(failures=1, first_dead=NOW)})
    own_redis.start()
    one.udi.runs.settle("next", result(10, "dead", minutes=5, reason="no_data"))
    one.udi.results.remember_dead({10: DeadMemory(failures=2, first_dead=NOW)})
    two.follow()
    assert one.udi.results.dead_memory([10])[10].failures == 2
    two.follow()
    assert two.file.results.dead_memory([10])[10].failures == 2


def test_an_order_written_on_another_machine_during_a_refresh_is_kept(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    two.follow()
    arranged: list[tuple[int, ...]] = []

    def over(snapshot: Snapshot) -> Snapshot:
        result = LocalOrder(one.udi).arranged(snapshot)
        if not arranged:
            # The order is written between the arrangement and its publication.
            two.udi.library.reorder(1, [11, 10])
        arranged.append(next(iter(result.channels)).stream_ids)
        return result

    one.udi.publish(replace(library(), groups=[]), over=over)
    assert arranged == [(10, 11), (11, 10)]
    assert one.udi.library.channels([1])[0].stream_ids == (11, 10)


def test_a_redis_that_is_lost_and_filled_again_right_after_its_filling_gets_all_writes(
    machines: tuple[Machine, Machine], own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    one.udi.runs.open(planned())
    assert two.follow() > 0
    one.udi.runs.settle("run", result(10))
    mark, losses = RedisStore.mark_filled, [own_redis]

    def lost_after_the_mark(store: RedisStore) -> str:
        filling = mark(store)
        while losses:
            lose(losses.pop())
            two.follow()
        return filling

    monkeypatch.setattr(RedisStore, "mark_filled", lost_after_the_mark)
    lose(own_redis)
    one.follow()
    assert not losses
    one.follow()
    state = one.udi.runs.state("run")
    assert state
    assert state.streams[10] == "ok"


def test_a_redis_that_is_lost_while_it_is_copied_gets_all_writes(
    machines: tuple[Machine, Machine], own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    one.udi.runs.open(planned())
    assert two.follow() > 0
    one.follow()
    one.udi.runs.settle("run", result(10))
    state, losses = RedisStore.state, [own_redis]

    def state_of_a_lost_one(store: RedisStore) -> tuple[bytes | None, bytes | None, bytes]:
        while losses:
            lose(losses.pop())
        return state(store)

    with monkeypatch.context() as lost:
        lost.setattr(RedisStore, "state", state_of_a_lost_one)
        one.follow()
    assert not losses
    two.follow()
    one.follow()
    stored = one.udi.runs.state("run")
    assert stored
    assert stored.streams[10] == "ok"


def test_many_results_of_many_machines_are_merged_without_loss_while_redis_comes_and_goes(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    machines = [Machine(own_redis, tmp_path / str(number)) for number in range(3)]
    ids = list(range(100, 190))
    machines[0].udi.publish(library(*map(stream, ids), channels={1: tuple(ids)}))
    run = Run(
        run_id="run", started_at=datetime.now(UTC), mode="concurrent", stream_ids=tuple(ids), channels={1: tuple(ids)}
    )
    machines[0].udi.runs.open(run)
    for machine in machines:
        machine.follow()

    def check(machine: Machine, stream_ids: list[int]) -> None:
        for stream_id in stream_ids:
            machine.udi.runs.settle("run", result(stream_id))
            machine.follow()

    threads = [threading.Thread(target=check, args=(m, ids[n::3])) for n, m in enumerate(machines)]
    for thread in threads:
        thread.start()
    for forget in (False, True):
        own_redis.kill(forget=forget)
        own_redis.start()
    for thread in threads:
        thread.join(60)
    for _ in range(2):
        for machine in machines:
            machine.follow()
    for store in (machines[0].udi, *(machine.file for machine in machines)):
        state = store.runs.state("run")
        assert state
        assert state.verdicts == {"ok": len(ids)}
        assert [len(store.results.history(stream_id)) for stream_id in ids] == [1] * len(ids)


def test_after_more_events_than_redis_keeps_nothing_is_missed(
    machines: tuple[Machine, Machine], own_redis: RedisServer
) -> None:
    one, two = machines
    two.follow()
    one.udi.runs.settle("no run", result(10))
    with own_redis.client() as client:
        for number in range(10):
            client.xadd(EVENTS, {"type": "progress", "json": "{}"}, id=f"{2**60}-{number}", maxlen=3, approximate=False)
    one.udi.runs.settle("no run", result(11))
    assert two.follow() > 0
    assert two.file.results.latest_of([10, 11]) == one.udi.results.latest_of([10, 11])


def test_only_what_events_name_is_read_after_the_first_copy(
    machines: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    work(one.udi)
    two.follow()

    def read_all(_: object) -> None:
        raise AssertionError("everything was read")

    monkeypatch.setattr(RedisResults, "checks", read_all)
    monkeypatch.setattr(RedisResults, "memories", read_all)
    one.udi.runs.open(planned("second", minutes=1))
    for number in (10, 11, 12):
        one.udi.runs.settle("second", result(number, "dead", minutes=9, reason="no_data", run_id="second"))
    one.udi.library.reorder(2, [12])
    one.udi.results.remember_dead({11: DeadMemory(failures=2, first_dead=NOW, removed_from={2: 0})})
    one.udi.runs.finish_channel(change(2, "second", minutes=9, before=(12, 11), after=(12,)))
    two.follow()
    assert contents(two.file) == contents(one.udi)
