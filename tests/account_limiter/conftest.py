"""A limiter that is open and has three accounts, and Redis' time in the hands of a test."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from account_limiter import Account, Granted, Lease, Limiter, Request
from account_limiter.redis import scripts, wire

ACCOUNTS = (Account(1, "one", 1), Account(2, "two", 2), Account(3, "endless", 0))


@pytest.fixture
def limiter(redis_client: Redis) -> Limiter:
    limiter = Limiter(redis_client)
    limiter.configure(accounts=ACCOUNTS, global_limit=4, stagger_delay=0)
    limiter.open_now()
    return limiter


@pytest.fixture
def request_of() -> Callable[..., Request]:
    """Makes a request of an account under a new id."""
    numbers = itertools.count(1)
    return lambda account=1, **more: Request(**{"lease_id": f"lease-{next(numbers)}", "account_id": account, **more})


@pytest.fixture
def take(limiter: Limiter, request_of: Callable[..., Request]) -> Callable[..., Lease]:
    """Acquires a lease that must be free."""

    def taken(account: int = 1, **more: object) -> Lease:
        request = request_of(account, **more)
        answer = limiter.acquire(request, f"holder-of-{request.lease_id}", enqueue=False)
        assert isinstance(answer, Granted), answer
        return answer.lease

    return taken


class Clock:
    """The time that the scripts see; it stands still unless it is moved."""

    KEY = "{streamflow}:limiter:test-clock"
    ASKED = "local time = call('TIME')"
    GIVEN = f"local text = call('GET', '{KEY}')\n  local time = {{ string.sub(text, 1, -7), string.sub(text, -6) }}"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.set(1_800_000_000.0)

    def set(self, seconds: float) -> None:
        self.now = round(seconds, 3)
        self._redis.set(self.KEY, f"{round(self.now * 1e6):016}")

    def move(self, seconds: float) -> None:
        self.set(self.now + seconds)


@pytest.fixture
def restarted(redis_client: Redis) -> Callable[[], None]:
    """Lets the limiter take its server for another one than it met before."""

    def restart() -> None:
        state = json.loads(redis_client.hget(scripts.KEY, "state"))  # type: ignore[arg-type]
        redis_client.hset(scripts.KEY, "state", json.dumps({**state, "server": "the one before"}))

    return restart


@contextmanager
def library_of(**changed: object) -> Iterator[None]:
    """The library of functions as other values in :mod:`account_limiter.redis.scripts` make it."""
    made = (scripts._body, scripts.library, scripts.text, wire._head)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changed.items():
            patch.setattr(scripts, name, value)
        for known in made:
            known.cache_clear()
        yield
    for known in made:
        known.cache_clear()


@pytest.fixture
def clock(redis_client: Redis, tmp_path: Path) -> Iterator[Clock]:
    """A clock in place of the server's: the test runs a copy of the library that reads it."""
    copies = tmp_path / "lua"
    shutil.copytree(scripts._FOLDER, copies)
    meta = copies / "shared" / "meta.lua"
    asking = meta.read_text()
    assert Clock.ASKED in asking
    meta.write_text(asking.replace(Clock.ASKED, Clock.GIVEN))
    with library_of(_FOLDER=copies):
        yield Clock(redis_client)
