"""Tasks that work while they hold a slot and are deferred while they have none."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from airflow.sdk import BaseOperator, Context

from account_limiter.airflow.connection import DEFAULT_CONNECTION_ID, connect
from account_limiter.airflow.trigger import SlotTrigger
from account_limiter.core.errors import LeaseLost, LimiterError, LimiterUnavailable
from account_limiter.core.records import AccountId, Granted, Lease, Queued, Refused, Request
from account_limiter.redis.holder import Holder
from account_limiter.redis.library import DEFAULT_PREFIX
from account_limiter.redis.limiter import Limiter, new_holder

State = dict[str, Any]
Answer = Granted | Queued | Refused

# A shorter wait is spent in the worker, because a deferral and its return take longer.
SHORT_WAIT_SECONDS = 2.0
CALLED_WAIT_SECONDS = 4.0
# Pause before a task asks again for a lease that its earlier attempt still holds; that lease expires by itself.
HELD_WAIT_SECONDS = 5.0


class SlotRefused(LimiterError):
    """The limiter grants this account no slot.

    :param reason: see :class:`account_limiter.Refused`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"no slot: {reason}")
        self.reason = reason


class TryAgain(Exception):
    """Raised by :attr:`SlotWork.run` to give the slot back and queue again later.

    :param delay: seconds before the task queues again.
    :param why: reason, for the log.
    :param state: small JSON object that the next attempt receives.
    """

    def __init__(self, delay: float, why: str, state: State | None = None) -> None:
        super().__init__(f"{why}: again in {delay:g} s")
        self.delay = delay
        self.why = why
        self.state = state or {}


def _nothing(limiter: Limiter) -> None:
    """Prepare nothing."""


def _unknown(limiter: Limiter) -> bool:  # noqa: ARG001
    """Leave the account unknown."""
    return False


def _raise_refused(reason: str) -> Any:
    raise SlotRefused(reason)


def _raise_unavailable(error: LimiterUnavailable) -> Any:
    raise error


@dataclass(frozen=True)
class SlotWork:
    """Work that needs a slot, and the decisions that are the task's own.

    :param account_id: account whose slot is needed.
    :param run: does the work, with the holder of the slot and the ``state`` of the last :class:`TryAgain` (empty at
        first). Its result is the task's. When ``holder.lost`` is set, it stops by a call of ``holder.check()``, and the
        task queues again.
    :param limiter: grants the slots; by default the limiter of the operator's connection and prefix.
    :param expected_seconds: expected duration of the work; the limiter calls the next waiter shortly before its end.
    :param priority: head start over other waiters, in hours.
    :param yields: stop and queue again when viewers need the slot.
    :param deadline: the end of every wait: the task is skipped when it waits then. None for no end.
    :param observe: called every second in a thread of its own while the slot is held, for instance to count viewers.
    :param labels: labels of the lease beside ``dag_id``, ``run_id`` and ``map_index``.
    :param prepare: called before each request for a slot.
    :param introduce: configures a limiter that does not know the account, for instance after Redis lost its data;
        returns whether the limiter knows the account now.
    :param refused: returns the task's result when the account gets no slot. By default it raises SlotRefused.
    :param without_limiter: returns the task's result while Redis is away. By default it raises the error.
    """

    account_id: AccountId
    run: Callable[[Holder, State], Any]
    limiter: Limiter | None = None
    expected_seconds: float = 0.0
    priority: int = 0
    yields: bool = False
    deadline: datetime | None = None
    observe: Callable[[], None] | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Limiter], None] = _nothing
    introduce: Callable[[Limiter], bool] = _unknown
    refused: Callable[[str], Any] = _raise_refused
    without_limiter: Callable[[LimiterUnavailable], Any] = _raise_unavailable


class SlotOperator(BaseOperator):
    """Works while it holds a slot of an account. While it waits, it occupies no worker and no pool slot.

    :param connection_id: Airflow connection of Redis; without it the ``REDIS_*`` variables count.
    :param prefix: beginning of the limiter's keys.
    """

    def __init__(
        self, *, connection_id: str = DEFAULT_CONNECTION_ID, prefix: str = DEFAULT_PREFIX, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.connection_id = connection_id
        self.prefix = prefix
        self._holder: Holder | None = None
        self._killed = False

    @abstractmethod
    def slot_work(self, context: Context) -> SlotWork:
        """Return the work and the account whose slot it needs. Called once for each time that the task runs."""

    def execute(self, context: Context) -> Any:
        """Work with a slot, or defer the task until it gets one."""
        return self._attempt(context, self.slot_work(context), rank="", state={})

    def resume(self, context: Context, event: dict[str, Any], state: State | None = None) -> Any:
        """Continue after the event of the trigger."""
        work = self.slot_work(context)
        if event["status"] == "refused" and event["reason"] != "unknown_account":
            return work.refused(event["reason"])
        return self._attempt(context, work, rank=event["rank"], state=state or {}, called=event["status"] == "called")

    def on_kill(self) -> None:
        """Stop the wait or the work. The slot is released when the work has stopped."""
        self._killed = True
        if self._holder:
            # Airflow calls this in a signal handler, which may have interrupted a thread with the holder's locks.
            threading.Thread(target=self._holder.stop, args=("killed",), name="on-kill").start()

    def _attempt(self, context: Context, work: SlotWork, *, rank: str, state: State, called: bool = False) -> Any:
        limiter, request = work.limiter or Limiter(connect(self.connection_id), self.prefix), request_of(context, work)
        try:
            work.prepare(limiter)
            answer, rank = self._acquire(work, limiter, request, rank=rank, called=called)
        except LimiterUnavailable as error:
            return work.without_limiter(error)
        match answer:
            case Granted(lease):
                return self._hold(work, limiter, lease, rank=rank, state=state)
            case Queued(rank=rank):
                self._explain(answer)
                return self._defer(work, limiter, request, rank=rank, state=state)
            case Refused("held"):
                return self._defer(work, limiter, request, rank=rank, state=state, delay=HELD_WAIT_SECONDS)
            case Refused(reason):
                return work.refused(reason)

    def _acquire(
        self, work: SlotWork, limiter: Limiter, request: Request, *, rank: str, called: bool
    ) -> tuple[Answer, str]:
        """Acquire a slot or queue, and spend a short wait here.

        :returns: the answer, and the place in the queue.
        :raises LimiterUnavailable: while Redis is away.
        """
        holder = new_holder()
        answer = limiter.acquire(request, holder, rank=rank)
        if answer == Refused("unknown_account") and work.introduce(limiter):
            answer = limiter.acquire(request, holder, rank=rank)
        if isinstance(answer, Queued) and (called or 0 < answer.due <= SHORT_WAIT_SECONDS):
            patience = CALLED_WAIT_SECONDS if called else SHORT_WAIT_SECONDS
            rank = answer.rank
            answer = limiter.wait(
                request,
                holder,
                timeout=patience,
                rank=rank,
                stopped=lambda: self._killed,
                prepare=lambda: work.prepare(limiter),
            )
            if self._killed and isinstance(answer, Queued):
                limiter.drop(request.lease_id)
        return answer, rank

    def _explain(self, queued: Queued) -> None:
        if queued.reason == "closed":
            self.log.info(
                "No slot is granted for %.1f s: Redis was started or did not respond, and earlier holders may be alive",
                queued.due,
            )
        else:
            self.log.info("The account or the global limit is full: the task waits for a slot")

    def _hold(self, work: SlotWork, limiter: Limiter, lease: Lease, *, rank: str, state: State) -> Any:
        self._holder = Holder(limiter, lease, yields=work.yields, observe=work.observe)
        try:
            with self._holder as holder:
                return work.run(holder, state)
        except TryAgain as again:
            self.log.info("%s", again)
            return self._defer(work, limiter, lease.request, rank=rank, state=again.state, delay=again.delay)
        except LeaseLost as lost:
            self.log.warning("%s; the task queues again", lost)
            return self._defer(work, limiter, lease.request, rank=rank, state=state)

    def _defer(
        self, work: SlotWork, limiter: Limiter, request: Request, *, rank: str, state: State, delay: float = 0.0
    ) -> NoReturn:
        trigger = SlotTrigger(
            lease_id=request.lease_id,
            account_id=request.account_id,
            expected_seconds=request.expected_seconds,
            priority=request.priority,
            labels=dict(request.labels),
            rank=rank,
            delay=delay,
            deadline=work.deadline.timestamp() if work.deadline else None,
            connection_id=self.connection_id,
            prefix=limiter.prefix,
        )
        self.defer(trigger=trigger, method_name="resume", kwargs={"state": state})


def request_of(context: Context, work: SlotWork) -> Request:
    """Return the request of a task for a slot; its id is the task instance's."""
    task = context["ti"]
    labels = {"dag_id": task.dag_id, "run_id": task.run_id, "map_index": task.map_index, **work.labels}
    return Request(str(task.id), work.account_id, work.expected_seconds, work.priority, labels)
