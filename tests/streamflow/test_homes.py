"""Homes report themselves, and remember the others for when Redis is away."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from redis import Redis

from streamflow import homes
from streamflow.homes import Homes, has_others, home_id, known


def test_the_id_of_a_home_stays_and_is_the_same_for_processes_that_begin_at_once(tmp_path: Path) -> None:
    ids: set[str] = set()
    threads = [threading.Thread(target=lambda: ids.add(home_id(tmp_path / "home"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert ids == {home_id(tmp_path / "home")}
    assert home_id(tmp_path / "other") not in ids


def test_a_home_remembers_the_others(redis_client: Redis, tmp_path: Path) -> None:
    one, two = (Homes(redis_client, tmp_path / name) for name in ("one", "two"))
    one.report(one.now(), serves=True)
    assert not has_others(tmp_path / "one")
    two.report(two.now(), serves=False)
    assert known(tmp_path / "two").keys() == {one.id, two.id}
    assert has_others(tmp_path / "two")
    assert not has_others(tmp_path / "never reported")


def test_a_home_that_is_gone_for_a_day_is_forgotten(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (Homes(redis_client, tmp_path / name) for name in ("one", "two"))
    one.report(one.now() - homes.GONE_SECONDS - 1, serves=False)
    two.report(two.now(), serves=False)
    assert two.reports().keys() == known(tmp_path / "two").keys() == {two.id}


def test_the_writes_of_the_others_are_waited_for(redis_client: Redis, tmp_path: Path) -> None:
    one, two = (Homes(redis_client, tmp_path / name) for name in ("one", "two"))
    two.report(two.now(), serves=False)
    began = time.monotonic()
    timer = threading.Timer(1, lambda: two.report(two.now(), serves=False))
    timer.start()
    assert one.await_others(10)
    assert 0.9 < time.monotonic() - began < 5
    timer.join()


def test_a_machine_that_is_off_is_waited_for_in_vain(redis_client: Redis, tmp_path: Path) -> None:
    one, two = (Homes(redis_client, tmp_path / name) for name in ("one", "two"))
    two.report(two.now(), serves=False)
    assert not one.await_others(1)
