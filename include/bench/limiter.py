"""Speed of the limiter beside common alternatives, with the same clients in the same run.

``python -m bench.limiter`` prints one JSON object for each figure. It starts a Redis of its own, or deletes the
limiter's keys in the Redis that it is given.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import signal
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.synchronize import Barrier
from typing import Any

from redis import Redis, WatchError
from redis.asyncio import Redis as AsyncRedis

from account_limiter.airflow.hub import Hub
from account_limiter.core.errors import LimiterError
from account_limiter.core.records import AccountLimit, Granted, Lease, Request
from account_limiter.redis.library import library
from account_limiter.redis.limiter import Limiter
from streamflow_stack.redis import temporary_server

CLIENTS = 16
SECONDS = 3.0
LIMIT = 20
WAITERS = 2000
CROWD_ACCOUNTS, CROWD_WAITERS = 300, 10_000
_ACCOUNT = AccountLimit("bench", "bench", LIMIT)
_COUNTERS = "{streamflow}:bench:account", "{streamflow}:bench:global"
_SEMAPHORES = "{streamflow}:bench:account-set", "{streamflow}:bench:global-set"

Pair = Callable[[], bool]


def leases(redis: Redis) -> Pair:
    """Return a pair of calls of this limiter: leases with expiry, fairness, budgets and events."""
    limiter = Limiter(redis)

    def pair() -> bool:
        name = uuid.uuid4().hex
        answer = limiter.acquire(Request(name, "bench"), name, enqueue=False)
        return isinstance(answer, Granted) and limiter.release(answer.lease)

    return pair


def counters(redis: Redis) -> Pair:
    """Return the usual pair of counters, guarded by WATCH and MULTI. A crash leaves its count for an hour."""

    def change(step: int) -> bool:
        while True:
            with redis.pipeline() as pipe:
                try:
                    pipe.watch(*_COUNTERS)  # type: ignore[no-untyped-call]
                    values = [int(value or 0) for value in pipe.mget(_COUNTERS)]
                    if step > 0 and max(values) >= LIMIT:
                        return False
                    pipe.multi()
                    for key in _COUNTERS:
                        pipe.incrby(key, step)
                        pipe.expire(key, 3600)
                    pipe.execute()
                    return True
                except WatchError:
                    continue

    def pair() -> bool:
        return change(1) and change(-1)

    return pair


def sorted_sets(redis: Redis) -> Pair:
    """Return a sorted-set semaphore by the client's clock. It is neither fair nor exact, and shown for its speed."""

    def pair() -> bool:
        name, now = uuid.uuid4().hex, time.time()
        with redis.pipeline() as pipe:
            for key in _SEMAPHORES:
                pipe.zremrangebyscore(key, "-inf", now - 30)
                pipe.zadd(key, {name: now})
                pipe.zrank(key, name)
            answers = pipe.execute()
        taken = bool(max(answers[2], answers[5]) < LIMIT)
        with redis.pipeline() as pipe:
            for key in _SEMAPHORES:
                pipe.zrem(key, name)
            pipe.execute()
        return taken

    return pair


PEERS: dict[str, Callable[[Redis], Pair]] = {"leases": leases, "watch_multi": counters, "sorted_set": sorted_sets}


def run(redis_url: str, *, seconds: float = SECONDS, waiters: int = WAITERS) -> Iterator[dict[str, Any]]:
    """Yield one JSON object for each figure. Deletes the limiter's keys in this Redis."""
    with Redis.from_url(redis_url) as redis:
        rates: dict[tuple[str, int], float] = {}
        for clients in (1, CLIENTS):
            for peer in PEERS:
                _prepare(redis)
                figures = _contend(redis_url, peer, clients, seconds)
                rates[peer, clients] = figures["pairs_per_second"]
                yield {"bench": "acquire_release", "peer": peer, "clients": clients, **figures}
        yield {
            "bench": "acquire_release_ratio",
            "clients": CLIENTS,
            "over_watch_multi": round(rates["leases", CLIENTS] / rates["watch_multi", CLIENTS], 1),
        }
        _prepare(redis)
        yield {"bench": "wake_up", **asyncio.run(_wake_up(redis_url))}
        _prepare(redis)
        yield {"bench": "waiters", **asyncio.run(_waiting(redis_url, waiters))}
        yield {"bench": "crowd", **asyncio.run(_crowd(redis, redis_url))}
        _clear(redis)


def _clear(redis: Redis) -> None:
    redis.delete(*library().keys.values(), *_COUNTERS, *_SEMAPHORES)


def _prepare(redis: Redis) -> None:
    _clear(redis)
    limiter = Limiter(redis)
    limiter.configure(accounts=[_ACCOUNT, AccountLimit("one", "one", 1)], global_limit=LIMIT, stagger_delay=0)
    limiter.open_now()


def _contend(redis_url: str, peer: str, clients: int, seconds: float) -> dict[str, Any]:
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(clients)
    with spawn.Manager() as manager:
        answers = manager.Queue()
        workers = [
            spawn.Process(target=_client, args=(redis_url, peer, seconds, barrier, answers), daemon=True)
            for _ in range(clients)
        ]
        for worker in workers:
            worker.start()
        latencies: list[float] = []
        for _ in workers:
            latencies += answers.get(timeout=seconds + 120)
        for worker in workers:
            worker.join()
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "pairs_per_second": round(len(latencies) / seconds, 1),
        "median_ms": round(cuts[49] * 1000, 3),
        "p99_ms": round(cuts[98] * 1000, 3),
    }


def _client(redis_url: str, peer: str, seconds: float, barrier: Barrier, answers: Any) -> None:
    latencies: list[float] = []
    with Redis.from_url(redis_url) as redis:
        pair = PEERS[peer](redis)
        pair()
        barrier.wait(timeout=120)
        end = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end:
            if pair():
                latencies.append(time.perf_counter() - begun)
    answers.put(latencies)


def _hub(redis_url: str) -> Hub:
    async def connect() -> AsyncRedis:
        return AsyncRedis.from_url(redis_url)

    return Hub(connect)


async def _until_waiting(limiter: Limiter, number: int) -> None:
    while limiter.snapshot().waiting < number:  # noqa: ASYNC110 - what is waited for happens in Redis
        await asyncio.sleep(0.005)


def _acquired(limiter: Limiter, request: Request) -> Lease:
    answer = limiter.acquire(request, "bench")
    if not isinstance(answer, Granted):
        raise LimiterError(f"no slot for the benchmark: {answer}")
    return answer.lease


async def _wake_up(redis_url: str, rounds: int = 50) -> dict[str, Any]:
    """Measure the time from a release to the waiter's event in another connection of this process."""
    latencies: list[float] = []
    hub = _hub(redis_url)
    with Redis.from_url(redis_url) as redis:
        limiter = Limiter(redis)
        lease = _acquired(limiter, Request("first", "one"))
        for number in range(rounds):
            request = Request(f"next-{number}", "one")
            waiting = asyncio.create_task(hub.wait(request))
            await _until_waiting(limiter, 1)
            limiter.release(lease)
            freed = time.perf_counter()
            await waiting
            latencies.append(time.perf_counter() - freed)
            lease = _acquired(limiter, request)
    await hub.close()
    return {
        "median_ms": round(statistics.median(latencies) * 1000, 2),
        "worst_ms": round(max(latencies) * 1000, 2),
        "rounds": rounds,
    }


async def _waiting(redis_url: str, waiters: int, seconds: float = 12.0) -> dict[str, Any]:
    """Measure the cost of waiters while nothing happens, for a time that includes a touch of all of them."""
    hub = _hub(redis_url)
    with Redis.from_url(redis_url) as redis:
        limiter = Limiter(redis)
        _acquired(limiter, Request("first", "one"))
        before = len(redis.client_list())
        begun = time.perf_counter()
        tasks = [asyncio.create_task(hub.wait(Request(f"waiter-{i}", "one"))) for i in range(waiters)]
        await _until_waiting(limiter, waiters)
        queued = time.perf_counter() - begun
        connections = len(redis.client_list()) - before
        ours, theirs = resource.getrusage(resource.RUSAGE_SELF), redis.info("cpu")
        await asyncio.sleep(seconds)
        used, served = resource.getrusage(resource.RUSAGE_SELF), redis.info("cpu")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await hub.close()
    cpu = used.ru_utime + used.ru_stime - ours.ru_utime - ours.ru_stime
    server = sum(served[name] - theirs[name] for name in ("used_cpu_user", "used_cpu_sys"))
    return {
        "waiters": waiters,
        "connections": connections,
        "queued_in_s": round(queued, 2),
        "cpu_percent": round(100 * cpu / seconds, 2),
        "redis_cpu_percent": round(100 * server / seconds, 2),
    }


async def _crowd(redis: Redis, redis_url: str, rounds: int = 1000) -> dict[str, Any]:
    """Measure the queueing of many waiters on many full accounts, and a newcomer's acquire behind them."""
    _clear(redis)
    hub, limiter, number = _hub(redis_url), Limiter(redis), CROWD_ACCOUNTS
    full = [AccountLimit(f"full-{i}", limit=1) for i in range(number)]
    limiter.configure(accounts=[*full, _ACCOUNT], global_limit=0, stagger_delay=0, lease_ttl=600)
    limiter.open_now()
    held = [_acquired(limiter, Request(f"held-{i}", account.account_id)) for i, account in enumerate(full)]
    begun = time.perf_counter()
    requests = [Request(f"waiter-{i:05}", f"full-{i % number}") for i in range(CROWD_WAITERS)]
    tasks = [asyncio.create_task(hub.wait(request)) for request in requests]
    while redis.hlen(library().keys["waiters"]) < CROWD_WAITERS:  # noqa: ASYNC110 - another client changes it
        await asyncio.sleep(0.01)
    queued = time.perf_counter() - begun
    acquires: list[float] = []
    figures: dict[str, float] = {}
    for name, pair in (("pair", leases(redis)), ("watch_multi", counters(redis))):
        latencies = []
        for _ in range(rounds):
            await asyncio.sleep(0)
            begun = time.perf_counter()
            pair()
            latencies.append(time.perf_counter() - begun)
        figures[f"{name}_median_ms"] = round(statistics.median(latencies) * 1000, 3)
    for i in range(rounds):
        request = Request(f"newcomer-{i}", "bench")
        await asyncio.sleep(0)
        begun = time.perf_counter()
        lease = _acquired(limiter, request)
        acquires.append(time.perf_counter() - begun)
        limiter.release(lease)
        if i % LIMIT == 0:
            limiter.release(held[i // LIMIT])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await hub.close()
    cuts = statistics.quantiles(acquires, n=100)
    return {
        "waiters": CROWD_WAITERS,
        "accounts": number,
        "queued_in_s": round(queued, 2),
        "acquire_median_ms": round(cuts[49] * 1000, 3),
        "acquire_p99_ms": round(cuts[98] * 1000, 3),
        **figures,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(prog="bench.limiter", description=__doc__)
    parser.add_argument("--redis-url", help="a Redis to use; the limiter's keys in it are emptied")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each contention")
    parser.add_argument("--waiters", type=int, default=WAITERS)
    options = parser.parse_args(argv)
    # As Ctrl-C does, so that the server ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def show(redis_url: str) -> None:
        for figure in run(redis_url, seconds=options.seconds, waiters=options.waiters):
            print(json.dumps(figure), flush=True)

    if options.redis_url:
        show(options.redis_url)
    else:
        with temporary_server() as server:
            show(server.url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
