"""Contention of processes that are killed at random, over a Redis that hangs, crashes and loses its data.

An observer counts the connections. Workers go on one after another, without a lease, while Redis is away.
``STREAMFLOW_CONTENTION`` is the number of attempts, 1000000 for the long form: rounds of a minute or more with shorter
uses of slots. The default is one short round. An attempt is a request that was granted, or that left the queue after
its longest wait. ``STREAMFLOW_CONTENTION_PAUSES`` are the seconds for which Redis hangs, a random one in each round: by
default 7, and 1 to 120 in the long form.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from typing import Any

import pytest

from account_limiter import Granted, Limiter, Request
from account_limiter.redis.library import library
from support import contenders as contenders_program

ATTEMPTS = int(os.environ.get("STREAMFLOW_CONTENTION", "1"))
ROUND_SECONDS, USE_AT_MOST = (9, 0.15) if ATTEMPTS == 1 else (60, 0.01)
PAUSES = [
    float(text)
    for text in os.environ.get("STREAMFLOW_CONTENTION_PAUSES", "7" if ATTEMPTS == 1 else "1,2.5,4,6,9,15,34,120").split(
        ","
    )
]
LIMITS = {"one": 1, "two": 2, "four": 4}
GLOBAL_LIMIT = 6
LEASE_TTL = 2.0
# A loaded machine needs several rounds until everything has happened.
MOST_ROUNDS = 5 if ATTEMPTS == 1 else ATTEMPTS


class Observer:
    """Counts the connections that are open at the same time, without the limiter."""

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self.seen = 0
        self.violations: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        account = (await reader.readline()).decode().strip()
        if not account:
            writer.close()
            return
        self.seen += 1
        self.open[account] += 1
        self.peak[account] = max(self.peak[account], self.open[account])
        self.peak["all"] = max(self.peak["all"], self.open.total())
        if self.open[account] > LIMITS[account] or self.open.total() > GLOBAL_LIMIT:
            self.violations.append(f"{time.monotonic():.3f}: {dict(self.open)} with a new one of {account}")
        try:
            await reader.read()
        except ConnectionError:
            pass
        finally:
            self.open[account] -= 1
            writer.close()


async def disturb(redis: Any, observer: Observer, forget: bool, pause: float) -> None:
    """Pause Redis for less than the life of a lease, kill it, and pause it for longer, with contention between."""
    seen = observer.seen
    async with asyncio.timeout(40):
        while observer.seen < seen + 10:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    redis.pause()
    await asyncio.sleep(0.4)
    redis.go_on()
    await asyncio.sleep(1.0)
    redis.kill(forget=forget)
    await asyncio.sleep(0.2)
    await asyncio.to_thread(redis.start)
    await asyncio.sleep(LEASE_TTL + 1.0)
    redis.pause()
    await asyncio.sleep(pause)
    redis.go_on()
    await asyncio.sleep(3)


@pytest.mark.timeout(240 + ATTEMPTS // 20)
async def test_no_limit_is_exceeded_and_no_slot_is_lost_when_processes_and_redis_die(own_redis: Any) -> None:
    observer, totals = Observer(), Counter[str]()
    with own_redis.client() as client:
        limiter = Limiter(client)
        limiter.tick()
        limiter.open_now()
    server = await asyncio.start_server(observer.serve, "127.0.0.1", 0)
    while totals["granted"] + totals["left"] < ATTEMPTS or not covers_all(totals, observer):
        assert totals["rounds"] < MOST_ROUNDS, (totals, observer.peak)
        totals.update(await a_round(own_redis, observer, server.sockets[0].getsockname()[1]), rounds=1)
        print({**totals, "connections": observer.seen, "peak": dict(observer.peak)}, flush=True)
        assert observer.violations == []
    server.close()
    with own_redis.client() as client:
        await everything_comes_free(Limiter(client))


def covers_all(totals: Counter[str], observer: Observer) -> bool:
    """Return whether contenders were killed and served in every way, and the limits were reached."""
    is_reached = (observer.peak["one"], observer.peak["two"]) == (1, 2)
    goes_on_alone = totals["alone"] > 0 or max(PAUSES) < 6
    return is_reached and goes_on_alone and totals["killed"] > 8 and observer.seen > 40 and totals["outside"] > 0


async def a_round(redis: Any, observer: Observer, port: int) -> dict[str, int]:
    """Run contention with all faults, and return the counts of the contenders."""
    pause = random.choice(PAUSES)
    contenders = await asyncio.create_subprocess_exec(
        sys.executable, contenders_program.__file__, redis.socket, str(port), str(ROUND_SECONDS + pause),
        str(USE_AT_MOST), json.dumps(LIMITS), env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        await disturb(redis, observer, forget=observer.seen % 2 == 0, pause=pause)
        output, _ = await contenders.communicate()
    finally:
        if contenders.returncode is None:
            contenders.kill()
    assert contenders.returncode == 0
    # Requests that lay in the socket of a Redis that hung have queued waiters whose clients are gone.
    with redis.client() as client:
        for lease_id in client.hkeys(library().keys["waiters"]):
            Limiter(client).drop(lease_id.decode())
    return dict(json.loads(output))


async def everything_comes_free(limiter: Limiter) -> None:
    """Check that the leases of dead holders expire and that every slot is free then."""
    async with asyncio.timeout(2 * LEASE_TTL + 2):
        while limiter.tick().granted or limiter.snapshot().active:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    limiter.reset()
    names = ["one", "two", "two", "four", "four", "four"]
    answers = [limiter.acquire(Request(f"last-{n}", name), "h", enqueue=False) for n, name in enumerate(names)]
    assert all(isinstance(answer, Granted) for answer in answers)
