"""The care of several homes that share one Redis."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from redis import Redis

from conftest import RedisServer
from stream_tasks import caretaker, finish, plan, resources
from stream_tasks.caretaker import Caretaker
from streamflow import config, homes, pictures, thumbnails
from streamflow.errors import ConfigError, UdiUnavailable
from streamflow.udi import fallback, open_udi
from support.udi_records import library, planned, result


@pytest.fixture(autouse=True)
def checks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every call check whether Redis is back."""
    monkeypatch.setattr(fallback, "RECHECK_SECONDS", 0)


@pytest.fixture
def worker_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of this process, which is a worker's."""
    monkeypatch.delenv("STREAMFLOW_CONFIG", raising=False)
    monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path / "worker"))
    return tmp_path / "worker"


def test_what_a_worker_found_while_redis_was_away_reaches_the_api_server(
    own_redis: RedisServer, worker_home: Path
) -> None:
    api_home = worker_home.with_name("api")
    api = Caretaker(own_redis.client(), api_home, serves=True)
    worker = Caretaker(own_redis.client(), worker_home, serves=False)
    api._udi.publish(library())
    api._udi.runs.open(planned())
    for each in (api, worker, api):
        each.attend()
    own_redis.kill()
    check = open_udi(own_redis.client(), worker_home)
    check.runs.settle("run", result(10))
    pictures.keep(worker_home, 10, b"\xff\xd8")
    own_redis.start()
    for each in (worker, api):
        each.attend()
    assert api._udi.results.latest(10) == result(10)
    assert thumbnails.load(api_home, 10) == b"\xff\xd8"


def test_a_wrong_settings_file_holds_up_nothing_else(redis_client: Redis, worker_home: Path) -> None:
    worker = Caretaker(redis_client, worker_home, serves=False)
    worker_home.mkdir(exist_ok=True)
    config.path().write_text(json.dumps({"no_section": 1}))
    with pytest.raises(ConfigError, match="no_section"):
        worker.attend()
    assert homes.known(worker_home).keys() == {homes.home_id(worker_home)}


def test_the_thread_goes_on_after_errors_and_is_started_once(
    redis_client: Redis, worker_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def attend(self: Caretaker) -> None:
        calls.append(str(self._home))
        if len(calls) == 3:
            # The thread lasts as long as its process, so it is left waiting.
            threading.Event().wait()
        raise RuntimeError(f"error {len(calls)}")

    monkeypatch.setattr(caretaker, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(caretaker, "_is_started", False)
    monkeypatch.setattr(caretaker, "connect", lambda: redis_client)
    monkeypatch.setattr(Caretaker, "attend", attend)
    caretaker.start()
    caretaker.start()
    deadline = time.monotonic() + 10
    while len(calls) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert set(calls) == {str(worker_home)}


def other_machine(redis: Redis, home: Path) -> homes.Homes:
    """Return another machine that this one knows."""
    other = homes.Homes(redis, home.with_name("other"))
    other.report(other.now(), serves=False)
    homes.Homes(redis, home).report(other.now(), serves=False)
    return other


def test_the_end_of_a_run_waits_for_the_results_of_other_machines(redis_client: Redis, worker_home: Path) -> None:
    udi = open_udi(redis_client, worker_home)
    udi.publish(library())
    udi.runs.open(planned())
    other = other_machine(redis_client, worker_home)
    began = time.monotonic()
    timer = threading.Timer(1, lambda: other.report(other.now(), serves=False))
    timer.start()
    finish._gather(redis_client, udi, "run")
    assert 0.9 < time.monotonic() - began < 10
    for stream in (10, 11, 12):
        udi.runs.settle("run", result(stream))
    began = time.monotonic()
    finish._gather(redis_client, udi, "run")
    assert time.monotonic() - began < 0.5


def test_while_redis_is_away_a_run_does_not_end_without_the_results_of_other_machines(
    own_redis: RedisServer, worker_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = own_redis.client()
    udi = open_udi(client, worker_home)
    udi.publish(library())
    udi.runs.open(planned())
    own_redis.kill()
    # One machine holds all results itself.
    finish._gather(client, udi, "run")
    own_redis.start()
    other_machine(client, worker_home)
    own_redis.kill()
    with pytest.raises(UdiUnavailable, match="other machines may hold results"):
        finish._gather(client, udi, "run")
    monkeypatch.setattr(resources, "connect", lambda: client)
    assert [check["stream_id"] for check in plan.leftover("run", {})] == [10, 11, 12]
    with pytest.raises(UdiUnavailable, match="another machine holds the plan"):
        plan.leftover("a run that was planned elsewhere", {})
