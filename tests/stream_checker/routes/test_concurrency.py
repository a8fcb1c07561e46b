"""A change of the settings: the file, the limiter and Airflow's pool change together or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import httpx
import pytest

from account_limiter import Limiter

from ..server import Server


class StoredLimits:
    """The global limit as the file, the limiter and the pool hold it."""

    def __init__(self, server: Server, limiter: Limiter) -> None:
        self._server = server
        self._limiter = limiter
        self.file = server.home / "settings" / "stream_checker_config.json"

    def limits(self) -> tuple[int | None, int, int | None]:
        """Return the limits in the file, in the limiter and in the pool."""
        file = json.loads(self.file.read_text())["concurrent_streams"]["global_limit"] if self.file.exists() else None
        return file, self._limiter.snapshot().global_limit, self.pool()

    def pool(self) -> int | None:
        """Return the size of Airflow's pool."""
        with closing(sqlite3.connect(self._server.home / "airflow.db")) as database:
            row = database.execute("select slots from slot_pool where pool = 'stream_checks'").fetchone()
        return row[0] if row else None


@pytest.fixture
def stored(server: Server, limiter: Limiter, admin: httpx.Client) -> Iterator[StoredLimits]:
    """Return the stored limits, all of them 10."""
    assert admin.put("/concurrency/config", json={"global_limit": 10, "stagger_delay": 0.2}).status_code == 200
    stored = StoredLimits(server, limiter)
    assert stored.limits() == (10, 10, 10)
    yield stored
    stored.file.unlink()


def test_a_change_reaches_file_limiter_and_pool(admin: httpx.Client, stored: StoredLimits) -> None:
    response = admin.put("/concurrency/config", json={"global_limit": 6, "lease_ttl": 12})
    assert response.status_code == 200
    assert (response.json()["global_limit"], response.json()["lease_ttl"], response.json()["stagger_delay"]) == (
        6,
        12,
        0.2,
    )
    assert response.json() == admin.get("/concurrency/config").json()
    assert stored.limits() == (6, 6, 6)


def test_unlimited_gives_the_pool_the_capacity_of_the_workers(admin: httpx.Client, stored: StoredLimits) -> None:
    admin.put("/concurrency/config", json={"global_limit": 0})
    assert stored.limits() == (0, 0, 14)


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
    admin: httpx.Client, stored: StoredLimits, body: dict[str, object], field: str
) -> None:
    response = admin.put("/concurrency/config", json={"stagger_delay": 5} | body)
    assert response.status_code == 422
    assert [fault["field"] for fault in response.json()["errors"]] == [field]
    assert stored.limits() == (10, 10, 10)
    assert admin.get("/concurrency/config").json()["stagger_delay"] == 0.2


def test_a_body_other_than_an_object_is_a_422(admin: httpx.Client, stored: StoredLimits) -> None:
    for body in ("[]", "3", "{", ""):
        assert admin.put("/concurrency/config", content=body).status_code == 422
    assert stored.limits() == (10, 10, 10)


def test_without_redis_nothing_changes(
    admin: httpx.Client, stored: StoredLimits, redis_away: Callable[[], AbstractContextManager[None]]
) -> None:
    with redis_away():
        assert admin.put("/concurrency/config", json={"global_limit": 3}).status_code == 503
    assert stored.limits() == (10, 10, 10)


def test_a_file_that_cannot_be_written_leaves_pool_and_limiter_as_they_were(
    admin: httpx.Client, stored: StoredLimits, tmp_path: Path
) -> None:
    folder = stored.file.parent
    aside = tmp_path / "settings"
    folder.rename(aside)
    # Not even root can create a file here. Without a file, the settings are the defaults.
    folder.symlink_to("/proc/self/task")
    try:
        response = admin.put("/concurrency/config", json={"global_limit": 3})
        assert response.status_code == 500
        assert response.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in response.text
    finally:
        folder.unlink()
        aside.rename(folder)
    assert stored.limits() == (10, 10, 10)
