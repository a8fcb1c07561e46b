"""Tasks that work while they hold a slot, and are deferred while they have none."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NoReturn

from airflow.sdk import BaseOperator, Context

from account_limiter.airflow.connection import connect
from account_limiter.airflow.trigger import SlotTrigger
from account_limiter.core.errors import LeaseLost, LimiterError, LimiterUnavailable
from account_limiter.core.records import AccountId, Granted, Lease, Queued, Refused, Request
from account_limiter.redis.holder import Holder
from account_limiter.redis.limiter import Limiter, new_holder

State = dict[str, Any]

# Waits that end sooner than a deferral and its return take are spent in the worker.
SHORT_WAIT_SECONDS = 2.0
CALLED_WAIT_SECONDS = 4.0
# What a task held when Redis went away expires by itself; until then it cannot have a slot again.
HELD_WAIT_SECONDS = 5.0


class SlotRefused(LimiterError):
    """The limiter gives this account no slot at all; ``reason`` as in :class:`account_limiter.core.records.Refused`."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no slot: {reason}")
        self.reason = reason


class TryAgain(Exception):
    """Raised by ``work`` to give the slot back and queue again after ``delay`` seconds.

    ``state``, JSON and small, is what the next attempt is called with.
    """

    def __init__(self, delay: float, why: str, state: State | None = None) -> None:
        super().__init__(f"{why}: again in {delay:g} s")
        self.delay = delay
        self.why = why
        self.state = state or {}


class SlotOperator(BaseOperator):
    """Calls ``work`` while it holds a slot of its account; neither worker nor pool slot is held while it waits.

    :param expected_seconds: how long the work takes, for calling the next waiter in time.
    :param slot_priority: higher ones are served first within their account.
    :param yields: stop and queue again when viewers need the slot.
    """

    def __init__(
        self, *, expected_seconds: float = 0.0, slot_priority: int = 0, yields: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.expected_seconds = expected_seconds
        self.slot_priority = slot_priority
        self.yields = yields
        self._holder: Holder | None = None
        self._killed = False

    @abstractmethod
    def account_of(self, context: Context) -> AccountId:
        """The account whose slot is needed."""

    @abstractmethod
    def work(self, context: Context, holder: Holder, state: State) -> Any:
        """The work; its answer is the task's.

        It stops when ``holder.lost`` is set, by raising LeaseLost (``holder.check()``): the task then queues again.
        """

    def labels(self, context: Context) -> Mapping[str, Any]:  # noqa: ARG002
        """What the lease is shown with, beside the task's own."""
        return {}

    def refused(self, context: Context, reason: str) -> Any:  # noqa: ARG002
        """What becomes of a task whose account gets no slot. Raises SlotRefused by default."""
        raise SlotRefused(reason)

    def without_limiter(self, context: Context, error: LimiterUnavailable) -> Any:  # noqa: ARG002
        """What becomes of a task while Redis is away. Raises ``error`` by default."""
        raise error

    def introduce(self, limiter: Limiter) -> bool:  # noqa: ARG002
        """Tell a limiter that does not know the account, for instance since Redis lost its data; True if done."""
        return False

    def open_limiter(self) -> Limiter:
        return Limiter(connect())

    def execute(self, context: Context) -> Any:
        return self._attempt(context, rank="", state={})

    def resume(self, context: Context, event: dict[str, Any], state: State | None = None) -> Any:
        """Goes on after the trigger's event."""
        if event["status"] == "refused" and event["reason"] != "unknown_account":
            return self.refused(context, event["reason"])
        return self._attempt(context, rank=event["rank"], state=state or {}, called=event["status"] == "called")

    def on_kill(self) -> None:
        """Ends the wait or the work; the slot is free as soon as nobody uses it any more."""
        self._killed = True
        if self._holder:
            # Airflow calls this in a signal's handler, which may have interrupted the holder of the locks it needs.
            threading.Thread(target=self._holder.stop, args=("killed",), name="on-kill").start()

    def _attempt(self, context: Context, *, rank: str, state: State, called: bool = False) -> Any:
        limiter, request, holder = self.open_limiter(), self._request(context), new_holder()
        try:
            answer = limiter.acquire(request, holder, rank=rank)
            if answer == Refused("unknown_account") and self.introduce(limiter):
                answer = limiter.acquire(request, holder, rank=rank)
            if isinstance(answer, Queued) and (called or 0 < answer.due <= SHORT_WAIT_SECONDS):
                patience = CALLED_WAIT_SECONDS if called else SHORT_WAIT_SECONDS
                rank = answer.rank
                answer = limiter.wait(request, holder, timeout=patience, rank=rank, stopped=lambda: self._killed)
                if self._killed and isinstance(answer, Queued):
                    limiter.drop(request.lease_id)
        except LimiterUnavailable as error:
            return self.without_limiter(context, error)
        match answer:
            case Granted(lease):
                return self._hold(context, limiter, lease, rank=rank, state=state)
            case Queued(rank=rank):
                return self._defer(request, rank=rank, state=state)
            case Refused("held"):
                return self._defer(request, rank=rank, state=state, delay=HELD_WAIT_SECONDS)
            case Refused(reason):
                return self.refused(context, reason)
        return None

    def _hold(self, context: Context, limiter: Limiter, lease: Lease, *, rank: str, state: State) -> Any:
        self._holder = Holder(limiter, lease, yields=self.yields)
        try:
            with self._holder as holder:
                return self.work(context, holder, state)
        except TryAgain as again:
            self.log.info("%s", again)
            return self._defer(lease.request, rank=rank, state=again.state, delay=again.delay)
        except LeaseLost as lost:
            self.log.warning("%s; queueing again", lost)
            return self._defer(lease.request, rank=rank, state=state)

    def _defer(self, request: Request, *, rank: str, state: State, delay: float = 0.0) -> NoReturn:
        self.defer(
            trigger=SlotTrigger.of(request, rank=rank, delay=delay),
            method_name="resume",
            kwargs={"state": state},
        )

    def _request(self, context: Context) -> Request:
        task = context["ti"]
        labels = {"dag_id": task.dag_id, "run_id": task.run_id, "map_index": task.map_index, **self.labels(context)}
        return Request(str(task.id), self.account_of(context), self.expected_seconds, self.slot_priority, labels)
