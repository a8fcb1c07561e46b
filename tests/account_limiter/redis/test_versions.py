"""Two versions with different layouts of the keys at the same time, as during an update of the workers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from account_limiter import Granted, Limiter, LimiterOutdated, Queued, Request
from account_limiter.redis.library import FOLDER, LAYOUT, library

from ..conftest import ACCOUNTS, library_of

OWN = LAYOUT
TTL = 1.5

# A holder of this version in a process of its own; the test's process is the other version.
HOLD = """
import sys, time
from redis import Redis
from account_limiter import Holder, Limiter, Request
limiter = Limiter(Redis.from_url(sys.argv[1]))
answer = limiter.acquire(Request("old", 1), "h", enqueue=False)
with Holder(limiter, answer.lease) as holder:
    print("held", flush=True)
    holder.lost.wait(30)
    print(holder.reason, time.monotonic(), flush=True)
"""


def version(layout: int) -> AbstractContextManager[None]:
    """Run this code with another layout number."""
    return library_of(LAYOUT=layout)


def configured(redis: Redis, **settings: Any) -> Limiter:
    limiter = Limiter(redis)
    limiter.configure(accounts=ACCOUNTS, **{"global_limit": 4, "stagger_delay": 0, **settings})
    return limiter


def test_an_older_version_gets_no_slot_beside_a_newer_one(
    limiter: Limiter, redis_client: Redis, request_of: Callable[..., Request]
) -> None:
    held = limiter.acquire(request_of(), "h")
    assert isinstance(held, Granted)
    with version(OWN + 1):
        configured(redis_client)
    with pytest.raises(LimiterOutdated, match="update this one and restart it"):
        limiter.acquire(request_of(2), "h")
    with pytest.raises(LimiterOutdated):
        limiter.renew(held.lease)


@pytest.mark.parametrize("lease_ttl", [10, 60])
def test_a_newer_version_waits_for_the_end_of_leases_that_it_cannot_see(
    clock: Any, redis_client: Redis, request_of: Callable[..., Request], lease_ttl: float
) -> None:
    older = configured(redis_client, lease_ttl=lease_ttl)
    older.open_now()
    assert isinstance(older.acquire(request_of(), "h"), Granted)
    with version(OWN + 1):
        # Its configured life may be shorter than the life of those leases.
        newer = configured(redis_client, lease_ttl=10)
        clock.move(lease_ttl - 0.1)
        request = request_of()
        assert isinstance(newer.acquire(request, "n"), Queued)
        clock.move(0.2)
        assert isinstance(newer.acquire(request, "n"), Granted)


def test_a_holder_of_the_older_version_stops_before_its_slot_is_granted_again(
    redis_client: Redis, redis_url: str
) -> None:
    configured(redis_client, lease_ttl=TTL).open_now()
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, redis_url], env=env, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with version(OWN + 1):
            newer, deadline = configured(redis_client, lease_ttl=TTL), time.monotonic() + 10
            while not isinstance(newer.acquire(Request("new", 1), "n"), Granted):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            granted = time.monotonic()
        reason, stopped = holder.stdout.readline().split()
    assert reason == "unreachable"
    assert float(stopped) < granted


def test_a_reset_gives_the_limiter_back_to_an_older_version(
    clock: Any, redis_client: Redis, request_of: Callable[..., Request]
) -> None:
    older = configured(redis_client, lease_ttl=10)
    older.open_now()
    with version(OWN + 1):
        newer = configured(redis_client, lease_ttl=10)
        clock.move(11)
        assert isinstance(newer.acquire(request_of(), "n"), Granted)
    older.reset()
    request = request_of()
    assert isinstance(older.acquire(request, "h"), Queued)
    clock.move(10.1)
    assert isinstance(older.acquire(request, "h"), Granted)


def test_versions_of_one_layout_share_leases(
    limiter: Limiter, request_of: Callable[..., Request], tmp_path: Path
) -> None:
    assert isinstance(limiter.acquire(request_of(), "h"), Granted)
    older, later = library().name, tmp_path / "lua"
    shutil.copytree(FOLDER, later)
    (later / "open.lua").open("a").write("-- a later text\n")
    with library_of(FOLDER=later):
        assert library().name != older
        assert isinstance(limiter.acquire(request_of(), "n"), Queued)
