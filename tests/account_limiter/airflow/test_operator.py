from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from account_limiter import (
    AccountLimit,
    Granted,
    Holder,
    Lease,
    LeaseLost,
    Limiter,
    LimiterUnavailable,
    Request,
    connect,
    connect_async,
)
from account_limiter.airflow import operator as operator_module
from account_limiter.airflow import trigger as trigger_module
from account_limiter.airflow.hub import Hub
from account_limiter.airflow.operator import SlotOperator, SlotRefused, SlotWork, State, TryAgain
from account_limiter.airflow.trigger import SlotTrigger


class Work(SlotOperator):
    """A slot operator with the work of the test."""

    work: SlotWork

    def slot_work(self, context: Any) -> SlotWork:
        return self.work


def new_task(limiter: Limiter, does: Any, **decisions: Any) -> tuple[Work, Any]:
    task = Work(task_id="work")
    task.work = SlotWork(1, does, limiter=limiter, labels={"stream_id": 7}, **decisions)
    ti = SimpleNamespace(id=uuid.uuid4(), dag_id="dag", run_id="run", map_index=3)
    return task, {"ti": ti}


def deferral(task: Work, context: Any, event: dict[str, Any] | None = None, **kwargs: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        task.resume(context, event, **kwargs) if event else task.execute(context)
    return deferred.value


def test_the_work_runs_while_its_slot_is_held_and_no_longer(limiter: Limiter) -> None:
    def does(holder: Holder, state: State) -> Any:
        (lease,) = limiter.snapshot().leases
        return lease.labels, lease.lease_id, state

    task, context = new_task(limiter, does)
    labels = {"dag_id": "dag", "run_id": "run", "map_index": 3, "stream_id": 7}
    assert task.execute(context) == (labels, str(context["ti"].id), {})
    assert limiter.snapshot().active == 0


def test_a_task_without_a_slot_is_deferred_and_goes_on_when_its_slot_is_granted(limiter: Limiter) -> None:
    first, first_context = new_task(limiter, lambda holder, state: deferral(second, second_context))
    second, second_context = new_task(limiter, lambda holder, state: "done")
    deferred = first.execute(first_context)
    trigger = deferred.trigger
    assert isinstance(trigger, SlotTrigger)
    event = {"status": "granted", "reason": "", "rank": trigger.rank}
    assert limiter.snapshot().leases[0].lease_id == str(second_context["ti"].id)
    assert second.resume(second_context, event, **deferred.kwargs) == "done"


def test_trying_again_gives_the_slot_back_and_carries_its_state(limiter: Limiter) -> None:
    def does(holder: Holder, state: State) -> Any:
        if not state:
            raise TryAgain(30, "provider busy", {"tries": 1})
        return state

    task, context = new_task(limiter, does)
    deferred = deferral(task, context)
    assert limiter.snapshot().active == limiter.snapshot().waiting == 0
    assert deferred.trigger.delay == 30
    assert task.resume(context, {"status": "granted", "reason": "", "rank": ""}, **deferred.kwargs) == {"tries": 1}


def test_a_lost_lease_sends_the_task_back_to_the_queue(limiter: Limiter) -> None:
    def does(holder: Holder, state: State) -> Any:
        raise LeaseLost(holder.lease.request.lease_id, "reset")

    task, context = new_task(limiter, does)
    assert deferral(task, context).method_name == "resume"


def test_killing_a_task_stops_its_work_and_then_frees_its_slot_at_once(limiter: Limiter) -> None:
    def does(holder: Holder, state: State) -> Any:
        task.on_kill()
        assert holder.lost.wait(1)
        assert limiter.snapshot().active == 1, "the connection is still open"
        holder.check()

    task, context = new_task(limiter, does)
    deferral(task, context)
    assert limiter.snapshot().active == limiter.snapshot().waiting == 0


@contextmanager
def called(limiter: Limiter, task: Work, context: Any) -> Iterator[Future[Any]]:
    """Run a called task, which waits in a thread."""
    event = {"status": "called", "reason": "", "rank": ""}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(task.resume, context, event)
        while not limiter.snapshot().waiting:
            time.sleep(0.01)
        yield running


def test_a_called_task_waits_in_its_worker_for_the_slot_that_comes_free(
    limiter: Limiter, take: Callable[..., Lease]
) -> None:
    lease = take(1)
    task, context = new_task(limiter, lambda holder, state: "done")
    with called(limiter, task, context) as running:
        limiter.release(lease)
        assert running.result(2) == "done"


def test_a_called_task_whose_slot_does_not_come_queues_again_in_its_place(
    limiter: Limiter, take: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_module, "CALLED_WAIT_SECONDS", 0.2)
    take(1)
    task, context = new_task(limiter, None)
    with called(limiter, task, context) as running:
        deferred = running.exception(2)
    assert isinstance(deferred, TaskDeferred)
    assert deferred.trigger.rank
    assert limiter.snapshot().waiting == 1


def test_a_task_killed_while_it_waits_in_its_worker_leaves_the_queue(
    limiter: Limiter, take: Callable[..., Lease]
) -> None:
    take(1)
    task, context = new_task(limiter, None)
    with called(limiter, task, context) as running:
        task.on_kill()
        assert isinstance(running.exception(2), TaskDeferred)
    assert limiter.snapshot().waiting == 0


def test_a_task_waits_for_the_lease_of_its_earlier_attempt(limiter: Limiter) -> None:
    task, context = new_task(limiter, None)
    limiter.acquire(Request(str(context["ti"].id), 1), "the earlier life")
    assert deferral(task, context).trigger.delay > 0


def test_the_work_decides_what_a_refusal_means(limiter: Limiter) -> None:
    limiter.configure(accounts=[AccountLimit(1, active=False)])
    task, context = new_task(limiter, None)
    with pytest.raises(SlotRefused, match="inactive"):
        task.execute(context)


def test_an_account_that_the_limiter_lost_is_introduced_again(limiter: Limiter) -> None:
    def introduce(limiter: Limiter) -> bool:
        limiter.configure(accounts=[AccountLimit(1, limit=1)])
        return True

    limiter.configure(accounts=[])
    task, context = new_task(limiter, lambda holder, state: "done", introduce=introduce)
    event = {"status": "refused", "reason": "unknown_account", "rank": ""}
    assert task.resume(context, event) == "done"


def test_each_request_for_a_slot_is_prepared(limiter: Limiter) -> None:
    prepared: list[Limiter] = []
    task, context = new_task(limiter, lambda holder, state: "done", prepare=prepared.append)
    task.execute(context)
    task.resume(context, {"status": "granted", "reason": "", "rank": ""})
    assert prepared == [limiter, limiter]


def test_the_work_decides_what_happens_without_redis() -> None:
    away = Limiter(connect(unix_socket_path="/nonexistent/redis.sock"))
    task, context = new_task(away, None)
    with pytest.raises(LimiterUnavailable):
        task.execute(context)
    task, context = new_task(away, None, without_limiter=lambda error: "alone")
    assert task.execute(context) == "alone"


def test_a_short_wait_is_spent_in_the_worker(limiter: Limiter) -> None:
    task, context = new_task(limiter, lambda holder, state: "done")

    def busy(holder: Holder, state: State) -> Any:
        holder.report_busy(retry_after=0.2)

    first, first_context = new_task(limiter, busy)
    first.execute(first_context)
    assert task.execute(context) == "done"


def test_a_task_with_a_head_start_is_served_before_an_earlier_one(limiter: Limiter) -> None:
    held = limiter.acquire(Request("held", 1), "h")
    assert isinstance(held, Granted)
    earlier, urgent = new_task(limiter, None), new_task(limiter, None, priority=24)
    assert deferral(*earlier).trigger.request.priority == 0
    assert deferral(*urgent).trigger.request.priority == 24
    limiter.release(held.lease)
    (lease,) = limiter.snapshot().leases
    assert lease.lease_id == str(urgent[1]["ti"].id)


def test_the_trigger_survives_its_serialization(limiter: Limiter) -> None:
    task, context = new_task(limiter, lambda holder, state: deferral(*new_task(limiter, None)))
    trigger = task.execute(context).trigger
    path, kwargs = trigger.serialize()
    assert path == "account_limiter.airflow.trigger.SlotTrigger"
    again = SlotTrigger(**kwargs)
    assert (again.request, again.rank) == (trigger.request, trigger.rank)


async def test_the_trigger_fires_when_its_slot_is_granted_and_leaves_the_queue_when_its_task_is_killed(
    limiter: Limiter, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(lambda: connect_async(unix_socket_path=redis_url.removeprefix("unix://")))
    monkeypatch.setattr(trigger_module, "hub", lambda *_: hub)
    limiter.configure(accounts=[AccountLimit(1, limit=1)])
    granted = [event async for event in SlotTrigger(lease_id="a", account_id=1).run()]
    assert granted[0].payload["status"] == "granted"
    killed = SlotTrigger(lease_id="b", account_id=1)
    waiting = asyncio.create_task(anext(killed.run()))
    async with asyncio.timeout(2):
        while not limiter.snapshot().waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await killed.on_kill()
    assert limiter.snapshot().waiting == 0
    waiting.cancel()
    await hub.close()
