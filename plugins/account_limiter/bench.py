"""How fast the limiter is, beside what most projects do, with the same clients in the same run."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from typing import Any

from redis import Redis, WatchError

from account_limiter import scripts
from account_limiter.connection import connect_async
from account_limiter.hub import Hub
from account_limiter.limiter import Limiter
from account_limiter.records import Account, Granted, Request

CLIENTS = 16
SECONDS = 3.0
LIMIT = 20
WAITERS = 2000
_ACCOUNT = Account("bench", "bench", LIMIT)
_COUNTERS = "{streamflow}:bench:account", "{streamflow}:bench:global"
_SEMAPHORES = "{streamflow}:bench:account-set", "{streamflow}:bench:global-set"

Pair = Callable[[], bool]


def leases(redis: Redis) -> Pair:
    """This limiter: leases with expiry, fairness, budgets and events."""
    limiter = Limiter(redis)

    def pair() -> bool:
        name = uuid.uuid4().hex
        answer = limiter.acquire(Request(name, "bench"), name, enqueue=False)
        return isinstance(answer, Granted) and limiter.release(answer.lease)

    return pair


def counters(redis: Redis) -> Pair:
    """The usual pair of counters, guarded by WATCH and MULTI: what a crash leaves behind stays for an hour."""

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
    """The plain sorted-set semaphore, by the client's clock: neither fair nor exact, shown for its speed."""

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
    """One JSON object a figure. Empties the limiter's keys: only for a Redis of its own."""
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
        _clear(redis)


def _clear(redis: Redis) -> None:
    redis.delete(*scripts.KEYS, *_COUNTERS, *_SEMAPHORES)


def _prepare(redis: Redis) -> None:
    _clear(redis)
    limiter = Limiter(redis)
    limiter.configure(accounts=[_ACCOUNT, Account("one", "one", 1)], global_limit=LIMIT, stagger_delay=0)
    limiter.open_now()


def _contend(redis_url: str, peer: str, clients: int, seconds: float) -> dict[str, Any]:
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(clients)
    with spawn.Manager() as manager:
        answers = manager.Queue()
        workers = [
            spawn.Process(target=_client, args=(redis_url, peer, seconds, barrier, answers)) for _ in range(clients)
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
    from redis.connection import parse_url

    options: dict[str, Any] = dict(parse_url(redis_url))
    options.pop("connection_class", None)
    if "path" in options:
        options["unix_socket_path"] = options.pop("path")
    return Hub(lambda: connect_async(**options))


async def _wake_up(redis_url: str, rounds: int = 50) -> dict[str, Any]:
    """From a release to the waiter's event, in another connection of this process."""
    latencies: list[float] = []
    hub = _hub(redis_url)
    with Redis.from_url(redis_url) as redis:
        limiter = Limiter(redis)
        answer = limiter.acquire(Request("first", "one"), "h")
        for number in range(rounds):
            assert isinstance(answer, Granted)
            request = Request(f"next-{number}", "one")
            waiting = asyncio.create_task(hub.wait(request))
            while not limiter.snapshot().waiting:
                await asyncio.sleep(0.005)
            limiter.release(answer.lease)
            freed = time.perf_counter()
            await waiting
            latencies.append(time.perf_counter() - freed)
            answer = limiter.acquire(request, "h")
    await hub.close()
    return {
        "median_ms": round(statistics.median(latencies) * 1000, 2),
        "worst_ms": round(max(latencies) * 1000, 2),
        "rounds": rounds,
    }


async def _waiting(redis_url: str, waiters: int, seconds: float = 12.0) -> dict[str, Any]:
    """What waiters cost while nothing happens: a touch of all of them falls into the time that is watched."""
    hub = _hub(redis_url)
    with Redis.from_url(redis_url) as redis:
        limiter = Limiter(redis)
        limiter.acquire(Request("first", "one"), "h")
        before = len(redis.client_list())
        begun = time.perf_counter()
        tasks = [asyncio.create_task(hub.wait(Request(f"waiter-{i}", "one"))) for i in range(waiters)]
        while limiter.snapshot().waiting < waiters:
            await asyncio.sleep(0.01)
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
