from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Callable

import pytest
from redis import Redis

from account_limiter import AccountLimit, Granted, Lease, Limiter, Request, connect_async
from account_limiter.airflow import hub as hub_module
from account_limiter.airflow.hub import Hub
from account_limiter.redis.library import library

RequestOf = Callable[..., Request]


@pytest.fixture
async def hub(redis_url: str) -> AsyncIterator[Hub]:
    hub = Hub(lambda: connect_async(unix_socket_path=redis_url.removeprefix("unix://")))
    yield hub
    await hub.close()


async def queued(limiter: Limiter, number: int) -> None:
    async with asyncio.timeout(10):
        while limiter.snapshot().waiting < number:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_freed_slot_wakes_its_waiter_within_a_quarter_of_a_second(
    hub: Hub, limiter: Limiter, take: Callable[..., Lease], request_of: RequestOf
) -> None:
    latencies = []
    lease = take(1)
    for _ in range(20):
        request = request_of(1)
        waiting = asyncio.create_task(hub.wait(request))
        await queued(limiter, 1)
        await asyncio.sleep(0.02)
        limiter.release(lease)
        freed = time.perf_counter()
        assert (await waiting).status == "granted"
        latencies.append(time.perf_counter() - freed)
        answer = limiter.acquire(request, "h")
        assert isinstance(answer, Granted)
        lease = answer.lease
    assert max(latencies) < 0.25


async def test_a_grant_from_before_the_subscription_is_not_missed(
    hub: Hub, limiter: Limiter, take: Callable[..., Lease], request_of: RequestOf
) -> None:
    lease, request = take(1), request_of(1)
    limiter.acquire(request, "h")
    limiter.release(lease)
    assert (await asyncio.wait_for(hub.wait(request), 1)).status == "granted"


async def test_a_waiter_is_called_when_its_slot_is_about_to_become_free(
    hub: Hub, limiter: Limiter, take: Callable[..., Lease], request_of: RequestOf
) -> None:
    take(1, expected_seconds=2)
    begun = time.perf_counter()
    outcome = await asyncio.wait_for(hub.wait(request_of(1)), 2)
    assert outcome.status == "called" and outcome.rank
    assert time.perf_counter() - begun > 0.4, "a call comes 1.5 s ahead"


async def test_two_thousand_waiters_take_two_connections_and_little_work(
    hub: Hub, limiter: Limiter, redis_client: Redis
) -> None:
    limiter.configure(accounts=[AccountLimit(n, f"{n}", 1) for n in range(4)], global_limit=3)
    leases = []
    for n in range(4):
        answer = limiter.acquire(Request(f"first-{n}", n), "h", enqueue=False)
        leases += [answer.lease] if isinstance(answer, Granted) else []
    before = len(redis_client.client_list())
    waiting = [asyncio.create_task(hub.wait(Request(f"w-{i:04}", i % 4))) for i in range(2000)]
    await queued(limiter, 1999)
    await asyncio.sleep(0.1)
    assert len(redis_client.client_list()) == before + 2
    begun, work = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    await asyncio.sleep(0.8)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - work.ru_utime - work.ru_stime
    assert cpu / (time.monotonic() - begun) < 0.1
    limiter.release(leases[0])
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) <= 2
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_waiter_that_redis_lost_is_queued_again_in_its_place(
    hub: Hub,
    limiter: Limiter,
    take: Callable[..., Lease],
    request_of: RequestOf,
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "TOUCH_SECONDS", 0.05)
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 0.05)
    lease, first, second = take(1), request_of(1), request_of(1)
    waits = {}
    for number, request in enumerate((first, second), 1):
        waits[request.lease_id] = asyncio.create_task(hub.wait(request))
        await queued(limiter, number)
    redis_client.delete(*(library().keys[name] for name in ("waiters", "queue", "touched")))
    await queued(limiter, 2)
    limiter.release(lease)
    assert (await asyncio.wait_for(waits[first.lease_id], 1)).status == "granted"
    assert not waits[second.lease_id].done()
    waits[second.lease_id].cancel()


async def test_a_reset_puts_waiters_back_into_the_queue(
    hub: Hub, limiter: Limiter, take: Callable[..., Lease], request_of: RequestOf
) -> None:
    lease = take(1)
    waiting = asyncio.create_task(hub.wait(request_of(1)))
    await queued(limiter, 1)
    limiter.reset()
    await queued(limiter, 1)
    limiter.release(lease)
    assert (await asyncio.wait_for(waiting, 1)).status == "granted"


async def test_an_account_that_becomes_inactive_refuses_its_waiters(
    hub: Hub, limiter: Limiter, take: Callable[..., Lease], request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "TOUCH_SECONDS", 0.05)
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 0.05)
    take(1)
    waiting = asyncio.create_task(hub.wait(request_of(1)))
    await queued(limiter, 1)
    limiter.configure(accounts=[AccountLimit(1, "one", 1, active=False)])
    outcome = await asyncio.wait_for(waiting, 1)
    assert (outcome.status, outcome.reason) == ("refused", "inactive")


async def test_a_dropped_waiter_leaves_the_queue_and_a_cancelled_one_keeps_its_place(
    hub: Hub, limiter: Limiter, take: Callable[..., Lease], request_of: RequestOf
) -> None:
    take(1)
    request = request_of(1)
    waiting = asyncio.create_task(hub.wait(request))
    await queued(limiter, 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert limiter.snapshot().waiting == 1
    await hub.drop(request.lease_id)
    assert limiter.snapshot().waiting == 0


async def test_a_waiter_ends_as_unavailable_when_redis_stays_away(
    monkeypatch: pytest.MonkeyPatch, request_of: RequestOf
) -> None:
    monkeypatch.setattr(hub_module, "ABSENCE_SECONDS", 0.2)
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.05)

    hub = Hub(lambda: connect_async(unix_socket_path="/nonexistent/redis.sock"))
    begun = time.monotonic()
    assert (await asyncio.wait_for(hub.wait(request_of(1)), 2)).status == "unavailable"
    assert time.monotonic() - begun >= 0.2
    await hub.close()
