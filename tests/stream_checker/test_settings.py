"""A change of the settings: the file, the limiter and Airflow's pool together, or none of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import httpx
import pytest

from account_limiter import Limiter

from .server import Server


class Kept:
    """What the three say the global limit is."""

    def __init__(self, server: Server, limiter: Limiter) -> None:
        self._server = server
        self._limiter = limiter
        self.file = server.home / "settings" / "stream_checker_config.json"

    def limits(self) -> tuple[int | None, int, int | None]:
        """In the file, in the limiter, in the pool."""
        file = json.loads(self.file.read_text())["concurrent_streams"]["global_limit"] if self.file.exists() else None
        return file, self._limiter.snapshot().global_limit, self.pool()

    def pool(self) -> int | None:
        with closing(sqlite3.connect(self._server.home / "airflow.db")) as database:
            row = database.execute("select slots from slot_pool where pool = 'stream_checks'").fetchone()
        return row[0] if row else None


@pytest.fixture
def kept(server: Server, limiter: Limiter, admin: httpx.Client) -> Iterator[Kept]:
    """The three, agreeing on 10."""
    assert admin.put("/concurrency/config", json={"global_limit": 10, "stagger_delay": 0.2}).status_code == 200
    kept = Kept(server, limiter)
    assert kept.limits() == (10, 10, 10)
    yield kept
    kept.file.unlink()


def test_a_change_reaches_file_limiter_and_pool(admin: httpx.Client, kept: Kept) -> None:
    answer = admin.put("/concurrency/config", json={"global_limit": 6, "lease_ttl": 12})
    assert answer.status_code == 200
    assert (answer.json()["global_limit"], answer.json()["lease_ttl"], answer.json()["stagger_delay"]) == (6, 12, 0.2)
    assert answer.json() == admin.get("/concurrency/config").json()
    assert kept.limits() == (6, 6, 6)


def test_unlimited_gives_the_pool_the_capacity_of_the_workers(admin: httpx.Client, kept: Kept) -> None:
    admin.put("/concurrency/config", json={"global_limit": 0})
    assert kept.limits() == (0, 0, 7)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"global_limit": -1}, "global_limit"),
        ({"global_limit": "many"}, "global_limit"),
        ({"lease_ttl": 1}, "lease_ttl"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"account_priority": {"1": "first"}}, "account_priority.1"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_changes(
    admin: httpx.Client, kept: Kept, body: dict[str, object], field: str
) -> None:
    answer = admin.put("/concurrency/config", json={"stagger_delay": 5} | body)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert kept.limits() == (10, 10, 10)
    assert admin.get("/concurrency/config").json()["stagger_delay"] == 0.2


def test_a_body_that_is_no_object_is_a_422(admin: httpx.Client, kept: Kept) -> None:
    for body in ("[]", "3", "{", ""):
        assert admin.put("/concurrency/config", content=body).status_code == 422
    assert kept.limits() == (10, 10, 10)


def test_without_redis_nothing_changes(
    admin: httpx.Client, kept: Kept, redis_away: Callable[[], AbstractContextManager[None]]
) -> None:
    with redis_away():
        assert admin.put("/concurrency/config", json={"global_limit": 3}).status_code == 503
    assert kept.limits() == (10, 10, 10)


def test_a_file_that_cannot_be_written_leaves_pool_and_limiter_as_they_were(
    admin: httpx.Client, kept: Kept, tmp_path: Path
) -> None:
    folder = kept.file.parent
    aside = tmp_path / "settings"
    folder.rename(aside)
    # Where not even root can make a file; without one the settings are the defaults.
    folder.symlink_to("/proc/self/task")
    try:
        answer = admin.put("/concurrency/config", json={"global_limit": 3})
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text
    finally:
        folder.unlink()
        aside.rename(folder)
    assert kept.limits() == (10, 10, 10)
