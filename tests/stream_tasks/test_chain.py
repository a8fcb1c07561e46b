"""A chain of bounded runs whose parts may die at any moment and are repeated, as Airflow repeats tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from redis import Redis

from account_limiter import connect
from conftest import RedisServer
from stream_tasks import resources
from stream_tasks.finish import finish_run, run_results, summarise
from stream_tasks.plan import leftover, next_in_chain, plan
from streamflow import config
from streamflow.records import Account, Channel, Group
from streamflow.udi import Udi, open_udi
from streamflow.udi.fallback import Fallback
from streamflow.udi.snapshot import Snapshot
from support.library import result, stream

T = TypeVar("T")

STREAMS = {channel: tuple(range(channel * 10, channel * 10 + 4)) for channel in range(1, 8)}
PARAMS: dict[str, Any] = {
    "channel_ids": None, "group_ids": None, "account_ids": None, "stream_ids": None, "force": True, "mode": "auto",
    "sample_seconds": None, "write_back": False, "chain": None,
}  # fmt: skip


class Crash(Exception):
    """The end of a process."""


@pytest.fixture
def store(tmp_path: Path, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> Udi:
    """The UDI of a home with seven channels of four streams, and runs of ten streams at most."""
    monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path))
    path = redis_client.connection_pool.connection_kwargs["path"]
    monkeypatch.setattr(resources, "connect", lambda: connect(unix_socket_path=path))
    config.save(config.Config(max_streams_per_run=10))
    udi = open_udi(redis_client, tmp_path)
    udi.publish(
        Snapshot(
            accounts=[Account(id=1, name="one", max_streams=2, budget="account-1")],
            groups=[Group(id=1, name="all")],
            streams=[stream(i) for listed in STREAMS.values() for i in listed],
            channels=[Channel(id=i, name=f"channel {i}", stream_ids=listed) for i, listed in STREAMS.items()],
        )
    )
    return udi


class Airflow:
    """Repeats each part of the DAG until it succeeds; ``chance`` ends parts before, within or after their work."""

    def __init__(self, store: Udi, chance: Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = store
        self.chance = chance
        self.checked: Counter[int] = Counter()
        self.finished: Counter[int] = Counter()
        self.crashes = 0
        monkeypatch.setattr(Fallback, "write", self._mortal(Fallback.write))

    def _mortal(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def maybe(*args: Any, **options: Any) -> Any:
            self._die()
            done = work(*args, **options)
            self._die()
            return done

        return maybe

    def _die(self) -> None:
        if self.chance.random() < 0.1:
            self.crashes += 1
            raise Crash

    def until_it_succeeds(self, part: Callable[[], T]) -> T:
        while True:
            try:
                return part()
            except Crash:
                continue

    def check(self, run_id: str, stream_id: int) -> None:
        context: Any = {"run_id": run_id, "params": PARAMS}
        run_results(resources.Resources.open(), context).keep(result(stream_id, at=datetime.now(UTC)))

    def run(self, run_id: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        """Run the DAG once, and return the runs that it triggers."""
        planned = [check["stream_id"] for check in self.until_it_succeeds(lambda: plan(params, run_id))]
        assert 0 < len(planned) <= 10
        for stream_id in planned:
            # One check in ten loses its worker for good.
            if self.chance.random() < 0.9:
                self.until_it_succeeds(lambda stream_id=stream_id: self.check(run_id, stream_id))  # type: ignore[misc]
            self.checked[stream_id] += 1
        left = self.until_it_succeeds(lambda: leftover(run_id, {}))
        assert {check["stream_id"] for check in left} <= set(planned)
        self.until_it_succeeds(lambda: finish_run(run_id, {}, write_back=False))
        summary = self.until_it_succeeds(lambda: summarise(run_id, params))
        assert "pending" not in summary["verdicts"]
        state = self.store.runs.state(run_id)
        assert state
        self.finished.update(list(state.finished_channels))
        return self.until_it_succeeds(lambda: next_in_chain(run_id, params))


@pytest.mark.parametrize("seed", range(5))
def test_a_chain_checks_each_stream_and_finishes_each_channel_once_despite_crashes(
    store: Udi, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    airflow = Airflow(store, Random(seed), monkeypatch)
    following: list[dict[str, Any]] = [{"trigger_run_id": "first", "conf": PARAMS}]
    runs = []
    while following:
        (following_run,) = following
        runs.append(following_run["trigger_run_id"])
        assert len(runs) < 10
        following = airflow.run(following_run["trigger_run_id"], following_run["conf"])
    assert airflow.crashes > 5
    assert runs == ["first", *(f"first__part{n}" for n in range(2, len(runs) + 1))]
    assert airflow.checked == Counter(i for listed in STREAMS.values() for i in listed)
    assert airflow.finished == Counter(list(STREAMS))


def test_a_repeated_trigger_names_the_same_run(store: Udi) -> None:
    plan(PARAMS, "first")
    assert next_in_chain("first", PARAMS) == next_in_chain("first", PARAMS)


def test_a_chain_goes_on_with_the_file_store_when_redis_dies_between_two_runs(
    own_redis: RedisServer, tmp_path: Path, store: Udi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "connect", lambda: connect(unix_socket_path=str(own_redis.socket)))
    plan(PARAMS, "first")
    own_redis.kill()
    (following_run,) = next_in_chain("first", PARAMS)
    # Without Redis no check gets a slot: all are left to the sequential checks.
    assert plan(following_run["conf"], following_run["trigger_run_id"]) == []
    waiting = leftover(following_run["trigger_run_id"], {})
    assert 0 < len(waiting) <= 10
