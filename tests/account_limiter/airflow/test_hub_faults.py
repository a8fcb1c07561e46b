"""Errors and hangs of Redis while tasks wait: no error ends the hub, and every waiter gets its slot afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from airflow.triggers.base import TaskSkippedEvent
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from account_limiter import AccountLimit, Granted, Lease, Limiter, LimiterUnavailable, Request, connect_async
from account_limiter.airflow import hub as hub_module
from account_limiter.airflow import trigger as trigger_module
from account_limiter.airflow.hub import Hub
from account_limiter.airflow.trigger import SlotTrigger
from account_limiter.redis.library import library

ONE = [AccountLimit(1, "one", 1)]
FAULT_SECONDS = 1.5

Fault = Callable[[Redis], Callable[[], Any]]


def out_of_memory(redis: Redis) -> Callable[[], Any]:
    redis.config_set("maxmemory", "1")
    return lambda: redis.config_set("maxmemory", "0")


def no_permission(redis: Redis) -> Callable[[], Any]:
    redis.execute_command("ACL", "SETUSER", "default", "-fcall")
    return lambda: redis.execute_command("ACL", "SETUSER", "default", "+fcall")


def no_permission_inside_of_functions(redis: Redis) -> Callable[[], Any]:
    redis.execute_command("ACL", "SETUSER", "default", "-zcard")
    return lambda: redis.execute_command("ACL", "SETUSER", "default", "+zcard")


def wrong_type(redis: Redis) -> Callable[[], Any]:
    key = library().keys["expiry"]
    redis.rename(key, key + "-kept")
    redis.set(key, "no sorted set")
    return lambda: redis.rename(key + "-kept", key)


def master_down(redis: Redis) -> Callable[[], Any]:
    redis.config_set("replica-serve-stale-data", "no")
    redis.replicaof("127.0.0.1", 1)
    return lambda: redis.execute_command("REPLICAOF", "NO", "ONE")


def replica(redis: Redis) -> Callable[[], Any]:
    redis.replicaof("127.0.0.1", 1)
    return lambda: redis.execute_command("REPLICAOF", "NO", "ONE")


def busy(redis: Redis) -> Callable[[], Any]:
    redis.config_set("busy-reply-threshold", "50")
    redis.connection_pool.get_connection().send_command("EVAL", "while true do end", 0)

    def kill_script() -> None:
        redis.execute_command("SCRIPT", "KILL")
        # The script ends a moment later.
        time.sleep(0.2)

    return kill_script


def closed_connections(redis: Redis) -> Callable[[], Any]:
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    return lambda: redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


FAULTS = [
    out_of_memory, no_permission, no_permission_inside_of_functions, wrong_type, master_down, replica, busy,
    closed_connections,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(hub_module, "TOUCH_SECONDS", 0.5)


@pytest.fixture
def limiter(own_redis: Any) -> Limiter:
    limiter = Limiter(own_redis.client())
    limiter.configure(accounts=ONE, global_limit=4, stagger_delay=0)
    limiter.open_now()
    return limiter


@pytest.fixture
def lease(limiter: Limiter) -> Lease:
    answer = limiter.acquire(Request("first", 1), "h")
    assert isinstance(answer, Granted)
    return answer.lease


@pytest.fixture
async def hub(own_redis: Any) -> AsyncIterator[Hub]:
    hub = Hub(lambda: connect_async(unix_socket_path=str(own_redis.socket), socket_timeout=0.5))
    yield hub
    await hub.close()


async def queued(limiter: Limiter, number: int = 1) -> None:
    async with asyncio.timeout(5):
        while limiter.snapshot().waiting < number:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", FAULTS)
async def test_waiters_from_before_and_during_a_fault_get_their_slots_after_it(
    own_redis: Any, limiter: Limiter, lease: Lease, hub: Hub, fault: Fault
) -> None:
    before = asyncio.create_task(hub.wait(Request("before", 1)))
    await queued(limiter)
    with own_redis.client() as admin:
        repair = fault(admin)
        during = asyncio.create_task(hub.wait(Request("during", 1)))
        await asyncio.sleep(FAULT_SECONDS)
        assert not before.done() and not during.done()
        repair()
    async with asyncio.timeout(5):
        while not limiter.release(lease):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert (await before).status == "granted"
        limiter.drop("before")
        assert (await during).status == "granted"


@pytest.mark.parametrize("fault", [out_of_memory, no_permission, no_permission_inside_of_functions, master_down, busy])
def test_a_server_that_cannot_do_its_work_is_unavailable(own_redis: Any, limiter: Limiter, fault: Fault) -> None:
    with own_redis.client() as admin:
        repair = fault(admin)
        time.sleep(0.1)
        with pytest.raises(LimiterUnavailable):
            limiter.acquire(Request("a", 1), "h")
        repair()
        assert isinstance(limiter.acquire(Request("a", 1), "h"), Granted)


async def test_a_hanging_redis_costs_no_waiter(own_redis: Any, limiter: Limiter, lease: Lease, hub: Hub) -> None:
    waiting = asyncio.create_task(hub.wait(Request("waits", 1)))
    await queued(limiter)
    own_redis.pause()
    await asyncio.sleep(2)
    own_redis.go_on()
    limiter.release(lease)
    assert (await asyncio.wait_for(waiting, 5)).status == "granted"


async def test_a_connection_that_cannot_be_looked_up_is_looked_up_again(own_redis: Any, limiter: Limiter) -> None:
    failures = iter([RuntimeError("no such connection"), KeyError("host")])

    async def look_up() -> AsyncRedis:
        for error in failures:
            raise error
        return await connect_async(unix_socket_path=str(own_redis.socket))

    hub = Hub(look_up)
    assert (await asyncio.wait_for(hub.wait(Request("a", 1)), 5)).status == "granted"
    await hub.close()


@pytest.mark.parametrize("wrong", [{"account_id": "a|b"}, {"lease_id": ""}, {"expected_seconds": float("inf")}])
async def test_an_invalid_request_is_refused_alone(limiter: Limiter, hub: Hub, wrong: dict[str, Any]) -> None:
    request = Request(**{"lease_id": "wrong", "account_id": 1, **wrong})
    refused, granted = await asyncio.wait_for(asyncio.gather(hub.wait(request), hub.wait(Request("right", 1))), 5)
    assert refused.status == "refused"
    assert refused.reason.startswith("invalid request")
    assert granted.status == "granted"


async def test_a_lasting_error_ends_the_waits_as_unavailable_with_its_reason(
    own_redis: Any, limiter: Limiter, lease: Lease, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "ABSENCE_SECONDS", 0.5)
    waiting = asyncio.create_task(hub.wait(Request("waits", 1)))
    await queued(limiter)
    with own_redis.client() as admin:
        repair = wrong_type(admin)
        result = await asyncio.wait_for(waiting, 5)
        repair()
    assert (result.status, result.rank != "") == ("unavailable", True)
    assert "WRONGTYPE" in result.reason
    again = asyncio.create_task(hub.wait(Request("waits", 1), result.rank))
    limiter.release(lease)
    assert (await asyncio.wait_for(again, 5)).status == "granted"


async def test_a_hub_whose_tasks_have_died_starts_again_with_the_next_waiter(limiter: Limiter, hub: Hub) -> None:
    assert (await asyncio.wait_for(hub.wait(Request("a", 1)), 5)).status == "granted"
    for task in hub._tasks:
        task.cancel()
    await asyncio.sleep(0.1)
    limiter.drop("a")
    assert (await asyncio.wait_for(hub.wait(Request("b", 1)), 5)).status == "granted"


async def test_a_trigger_queues_again_when_its_wait_has_no_result(
    limiter: Limiter, hub: Hub, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger_module, "hub", lambda *_: hub)
    monkeypatch.setattr(trigger_module, "REQUEUE_SECONDS", 0.3)
    trigger = SlotTrigger(lease_id="a", account_id=1)
    waiting = asyncio.create_task(anext(aiter(trigger.run())))
    await queued(limiter)
    for task in hub._tasks:
        task.cancel()
    limiter.release(lease)
    event = await asyncio.wait_for(waiting, 5)
    assert event.payload["status"] == "granted"


async def test_a_trigger_ends_its_task_at_the_deadline_and_leaves_the_queue(
    limiter: Limiter, hub: Hub, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger_module, "hub", lambda *_: hub)
    trigger = SlotTrigger(lease_id="a", account_id=1, deadline=time.time() + 0.5)
    waiting = asyncio.create_task(anext(aiter(trigger.run())))
    await queued(limiter)
    assert isinstance(await asyncio.wait_for(waiting, 5), TaskSkippedEvent)
    assert limiter.snapshot().waiting == 0
    late = SlotTrigger(lease_id="b", account_id=1, delay=60, deadline=time.time() - 1)
    assert [type(event) async for event in late.run()] == [TaskSkippedEvent]
