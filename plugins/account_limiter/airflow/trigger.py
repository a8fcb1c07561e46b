"""The deferral of a task until it gets a slot."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskSkippedEvent, TriggerEvent

from account_limiter.airflow.connection import DEFAULT_CONNECTION_ID
from account_limiter.airflow.hub import Hub, WaitResult, hub
from account_limiter.core.records import AccountId, Request
from account_limiter.redis.library import DEFAULT_PREFIX

log = logging.getLogger(__name__)

# A wait without result is queued again after this time, in its old place.
REQUEUE_SECONDS = 300.0


class SlotTrigger(BaseTrigger):
    """Waits in the queue of an account, in the hub of the triggerer.

    Fires one event, ``{"status", "reason", "rank"}`` as in :class:`account_limiter.airflow.hub.WaitResult`. When a
    triggerer stops, the waiter keeps its place and another triggerer continues. A user who clears, marks or deletes
    the task removes the waiter.

    :param rank: place in the queue that the task had before.
    :param delay: seconds before the task queues. A triggerer that takes over counts them from the beginning, because
        the clocks of two machines may differ.
    :param deadline: the end of the wait in seconds since the epoch: the task is skipped without a worker.
    :param connection_id: Airflow connection of Redis.
    :param prefix: beginning of the limiter's keys.
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
        deadline: float | None = None,
        connection_id: str = DEFAULT_CONNECTION_ID,
        prefix: str = DEFAULT_PREFIX,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.request = Request(lease_id, account_id, expected_seconds, priority, labels or {})
        self.rank = rank
        self.delay = delay
        self.deadline = deadline
        self.connection_id = connection_id
        self.prefix = prefix

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that create this trigger in the triggerer."""
        arguments = {
            "lease_id": self.request.lease_id,
            "account_id": self.request.account_id,
            "expected_seconds": self.request.expected_seconds,
            "priority": self.request.priority,
            "labels": dict(self.request.labels),
            "rank": self.rank,
            "delay": self.delay,
            "deadline": self.deadline,
            "connection_id": self.connection_id,
            "prefix": self.prefix,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for a slot and yield one event."""
        left = None if self.deadline is None else max(0.0, self.deadline - time.time())
        try:
            async with asyncio.timeout(left):
                await asyncio.sleep(self.delay)
                result = await self._wait()
        except TimeoutError:
            await self._hub().drop(self.request.lease_id)
            yield TaskSkippedEvent()
            return
        event = {"status": result.status, "reason": result.reason, "rank": result.rank}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Remove the waiter, or its unclaimed grant."""
        await self._hub().drop(self.request.lease_id)

    def _hub(self) -> Hub:
        return hub(self.connection_id, self.prefix)

    async def _wait(self) -> WaitResult:
        while True:
            try:
                async with asyncio.timeout(REQUEUE_SECONDS):
                    return await self._hub().wait(self.request, self.rank)
            except TimeoutError:
                log.debug("Lease %s is queued again", self.request.lease_id)
