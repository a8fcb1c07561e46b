"""The deferral of a task until its slot is granted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from account_limiter.airflow.hub import hub
from account_limiter.core.records import AccountId, Request


class SlotTrigger(BaseTrigger):
    """Waits in the queue of an account, in the triggerer's hub.

    Fires one event: ``{"status", "reason", "rank"}`` as in :class:`account_limiter.airflow.hub.Outcome`. A triggerer
    that stops leaves the place in the queue, and another one takes it up; a user who clears, marks or deletes the task
    gives it up.

    :param delay: seconds before it queues, counted anew by a triggerer that takes it over: the clocks of a worker and a
        triggerer may differ by any amount.
    :param not_before: what an earlier version deferred with in place of ``delay``: such a waiter queues at once.
    :param rank: the place it had in the queue before.
    """

    def __init__(
        self,
        *,
        lease_id: str,
        account_id: AccountId,
        expected_seconds: float = 0.0,
        priority: int = 0,
        labels: dict[str, Any] | None = None,
        rank: str = "",
        delay: float = 0.0,
        not_before: float = 0.0,  # noqa: ARG002
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.request = Request(lease_id, account_id, expected_seconds, priority, labels or {})
        self.rank = rank
        self.delay = delay

    @classmethod
    def of(cls, request: Request, *, rank: str = "", delay: float = 0.0) -> SlotTrigger:
        return cls(**_fields(request), rank=rank, delay=delay)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {**_fields(self.request), "rank": self.rank, "delay": self.delay},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(self.delay)
        outcome = await hub().wait(self.request, self.rank)
        event = {"status": outcome.status, "reason": outcome.reason, "rank": outcome.rank}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        await hub().drop(self.request.lease_id)


def _fields(request: Request) -> dict[str, Any]:
    return {
        "lease_id": request.lease_id,
        "account_id": request.account_id,
        "expected_seconds": request.expected_seconds,
        "priority": request.priority,
        "labels": dict(request.labels),
    }
