"""Requests for a run that arrive shortly after each other, and the pause between two checks of a channel."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from stream_checker.hooks import debounce
from stream_checker.hooks.debounce import CHANNELS_KEY, COOLDOWN_KEY, DebouncedRuns
from streamflow.names import CHECK_DAG, REFRESH_DAG
from streamflow.udi import Udi, open_udi

from .. import library

DEBOUNCE = 0.2
QUIET = 0.4


class StartedRuns:
    """A trigger that records the runs; ``fails`` makes it raise an error."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, Mapping[str, Any]]] = []
        self.fails = False
        self._calls = threading.Semaphore(0)

    def __call__(self, dag_id: str, conf: Mapping[str, Any]) -> None:
        self._calls.release()
        if self.fails:
            raise LookupError("no such DAG")
        self.runs.append((dag_id, conf))

    def wait_for_call(self) -> None:
        assert self._calls.acquire(timeout=5)

    def is_called(self) -> bool:
        return self._calls.acquire(timeout=QUIET)


@pytest.fixture
def started() -> StartedRuns:
    return StartedRuns()


@pytest.fixture
def store(redis_client: Redis, tmp_path: Path) -> Udi:
    store = open_udi(redis_client, tmp_path)
    library.fill(store)
    return store


@pytest.fixture
def runs(redis_client: Redis, store: Udi, started: StartedRuns) -> DebouncedRuns:
    return DebouncedRuns(redis_client, store, started, debounce=DEBOUNCE)


def wait_for_cooldown(redis: Redis, channel_id: int) -> None:
    deadline = time.monotonic() + 5
    while not redis.exists(f"{COOLDOWN_KEY}{channel_id}"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_burst_is_one_run_of_all_its_channels(runs: DebouncedRuns, started: StartedRuns, redis_client: Redis) -> None:
    for _ in range(20):
        assert runs.check_channels([2])
        assert runs.check_channels([1])
    started.wait_for_call()
    assert not started.is_called()
    assert started.runs == [(CHECK_DAG, {"channel_ids": [1, 2], "force": True})]
    assert not redis_client.exists(CHANNELS_KEY)


def test_a_channel_is_not_checked_again_during_its_cooldown(
    runs: DebouncedRuns, started: StartedRuns, redis_client: Redis
) -> None:
    runs.check_channels([1])
    started.wait_for_call()
    wait_for_cooldown(redis_client, 1)
    assert redis_client.pttl(f"{COOLDOWN_KEY}1") > 290_000
    for _ in range(3):
        assert not runs.check_channels([1])
    assert not started.is_called()
    # Another channel is checked, and this one again when the time is over.
    assert runs.check_channels([1, 2])
    started.wait_for_call()
    redis_client.delete(f"{COOLDOWN_KEY}1")
    wait_for_cooldown(redis_client, 2)
    assert runs.check_channels([1])
    started.wait_for_call()
    assert [conf["channel_ids"] for _, conf in started.runs] == [[1], [2], [1]]


def test_the_cooldown_is_a_setting(
    store: Udi, started: StartedRuns, redis_client: Redis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.json"
    monkeypatch.setenv("STREAMFLOW_CONFIG", str(settings))
    runs = DebouncedRuns(redis_client, store, started, debounce=DEBOUNCE)
    settings.write_text('{"webhooks": {"channel_cooldown": 20}}')
    runs.check_channels([1])
    started.wait_for_call()
    wait_for_cooldown(redis_client, 1)
    assert redis_client.pttl(f"{COOLDOWN_KEY}1") <= 20_000
    settings.write_text('{"webhooks": {"channel_cooldown": 0}}')
    for _ in range(2):
        assert runs.check_channels([2])
        started.wait_for_call()
    assert not redis_client.exists(f"{COOLDOWN_KEY}2")


def test_a_run_that_could_not_start_starts_with_the_next_request(
    runs: DebouncedRuns, started: StartedRuns, redis_client: Redis
) -> None:
    started.fails = True
    runs.check_channels([1])
    started.wait_for_call()
    deadline = time.monotonic() + 5
    while not redis_client.exists(CHANNELS_KEY):
        assert time.monotonic() < deadline
    started.fails = False
    runs.check_channels([2])
    started.wait_for_call()
    assert started.runs == [(CHECK_DAG, {"channel_ids": [1, 2], "force": True})]


def test_a_burst_over_several_servers_is_one_refresh(
    runs: DebouncedRuns, started: StartedRuns, redis_client: Redis, store: Udi
) -> None:
    other = DebouncedRuns(redis_client, store, started, debounce=DEBOUNCE)
    for server in (runs, other, runs, other):
        server.refresh()
    started.wait_for_call()
    assert not started.is_called()
    assert started.runs == [(REFRESH_DAG, {})]


def test_repeated_refreshes_keep_their_distance_and_the_last_is_not_lost(
    runs: DebouncedRuns, started: StartedRuns, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debounce, "REFRESH_COOLDOWN_SECONDS", 1.0)
    runs.refresh()
    started.wait_for_call()
    first = time.monotonic()
    for _ in range(3):
        redis_client.delete(debounce.REFRESH_KEY)
        runs.refresh()
    started.wait_for_call()
    assert time.monotonic() - first > 0.7
    assert not started.is_called()
    assert started.runs == [(REFRESH_DAG, {})] * 2


def test_new_streams_of_channels_are_checked_after_a_refresh(
    runs: DebouncedRuns, started: StartedRuns, store: Udi
) -> None:
    for _ in range(5):
        runs.refresh()
    started.wait_for_call()
    assert started.runs == [(REFRESH_DAG, {})]
    store.publish(library.snapshot(), force=True)
    started.wait_for_call()
    assert started.runs == [(REFRESH_DAG, {}), (CHECK_DAG, {"stream_ids": [4, 5, 6]})]
