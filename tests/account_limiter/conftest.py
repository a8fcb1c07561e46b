"""A limiter that is open and has three accounts, and a clock of Redis that a test moves."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from account_limiter import AccountLimit, Granted, Lease, Limiter, Request
from account_limiter.redis import library as library_module
from account_limiter.redis.library import library

ACCOUNTS = (AccountLimit(1, "one", 1), AccountLimit(2, "two", 2), AccountLimit(3, "endless", 0))


@pytest.fixture
def limiter(redis_client: Redis) -> Limiter:
    limiter = Limiter(redis_client)
    limiter.configure(accounts=ACCOUNTS, global_limit=4, stagger_delay=0)
    limiter.open_now()
    return limiter


@pytest.fixture
def request_of() -> Callable[..., Request]:
    """Return a function that makes a request of an account under a new id."""
    numbers = itertools.count(1)
    return lambda account=1, **more: Request(**{"lease_id": f"lease-{next(numbers)}", "account_id": account, **more})


@pytest.fixture
def take(limiter: Limiter, request_of: Callable[..., Request]) -> Callable[..., Lease]:
    """Return a function that acquires a free slot."""

    def taken(account: int = 1, **more: object) -> Lease:
        request = request_of(account, **more)
        answer = limiter.acquire(request, f"holder-of-{request.lease_id}", enqueue=False)
        assert isinstance(answer, Granted), answer
        return answer.lease

    return taken


class Clock:
    """The time that the transitions read; only the test moves it. Its moves are no silence of the server."""

    KEY = "{streamflow}:limiter:test-clock"
    ASKED = "local time = call('TIME')"
    GIVEN = f"local text = call('GET', '{KEY}')\n  local time = {{ string.sub(text, 1, -7), string.sub(text, -6) }}"

    SILENCE_KEY = "{streamflow}:limiter:test-silence"
    MEASURED = "local gap = now - (active_at or now)"
    STORED = f"local gap = tonumber(call('GETDEL', '{SILENCE_KEY}') or 0)"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.set(1_800_000_000.0)

    def set(self, seconds: float) -> None:
        self.now = round(seconds, 3)
        self._redis.set(self.KEY, f"{round(self.now * 1e6):016}")

    def move(self, seconds: float) -> None:
        self.set(self.now + seconds)

    def hang(self, seconds: float) -> None:
        """Move the time, and show the next transition that none ran meanwhile."""
        self.move(seconds)
        self._redis.set(self.SILENCE_KEY, round(seconds * 1000))


@pytest.fixture
def restarted(redis_client: Redis) -> Callable[[], None]:
    """Return a function after which the limiter takes its server for a restarted one."""

    def restart() -> None:
        state = json.loads(redis_client.hget(library().main_key, "state"))  # type: ignore[arg-type]
        redis_client.hset(library().main_key, "state", json.dumps({**state, "server": "the one before"}))

    return restart


@contextmanager
def library_of(**changed: object) -> Iterator[None]:
    """The library of functions as other values of ``LAYOUT`` and ``FOLDER`` make it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changed.items():
            patch.setattr(library_module, name, value)
        library.cache_clear()
        yield
    library.cache_clear()


@pytest.fixture
def clock(redis_client: Redis, tmp_path: Path) -> Iterator[Clock]:
    """A clock in place of the server's, read by a copy of the library."""
    copies = tmp_path / "lua"
    shutil.copytree(library_module.FOLDER, copies)
    meta = copies / "shared" / "meta.lua"
    asking = meta.read_text()
    assert Clock.ASKED in asking
    meta.write_text(asking.replace(Clock.ASKED, Clock.GIVEN))
    transition = copies / "shared" / "transition.lua"
    assert Clock.MEASURED in transition.read_text()
    transition.write_text(transition.read_text().replace(Clock.MEASURED, Clock.STORED))
    with library_of(FOLDER=copies):
        yield Clock(redis_client)
