"""The deferral of a task until its slot is granted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from account_limiter.hub import hub
from account_limiter.records import AccountId, Request


class SlotTrigger(BaseTrigger):
    """Waits in the queue of an account, in the triggerer's hub.

    Fires one event: ``{"status", "reason", "rank"}`` as in :class:`account_limiter.hub.Outcome`. A triggerer that
    stops leaves the place in the queue, and another one takes it up; a user who clears, marks or deletes the task
    gives it up.

    :param not_before: seconds since the epoch before which it does not queue.
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
        not_before: float = 0.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.request = Request(lease_id, account_id, expected_seconds, priority, labels or {})
        self.rank = rank
        self.not_before = not_before

    @classmethod
    def of(cls, request: Request, *, rank: str = "", not_before: float = 0.0) -> SlotTrigger:
        return cls(**_fields(request), rank=rank, not_before=not_before)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {**_fields(self.request), "rank": self.rank, "not_before": self.not_before},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(max(0.0, self.not_before - time.time()))
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
