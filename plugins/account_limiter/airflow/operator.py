"""Tasks that work while they hold a slot, and are deferred while they have none."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from airflow.sdk import BaseOperator, Context

from account_limiter.airflow.connection import connect
from account_limiter.airflow.trigger import SlotTrigger
from account_limiter.core.errors import LeaseLost, LimiterError, LimiterUnavailable
from account_limiter.core.records import AccountId, Granted, Lease, Queued, Refused, Request
from account_limiter.redis.holder import Holder
from account_limiter.redis.limiter import Limiter, new_holder

State = dict[str, Any]
Answer = Granted | Queued | Refused

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
    """Raised by :attr:`SlotWork.run` to give the slot back and queue again after ``delay`` seconds.

    ``state``, JSON and small, is what the next attempt is called with.
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

    :param account_id: the account whose slot is needed.
    :param run: does the work, with the holder of the slot and the ``state`` that the attempt before left. Its result is
        the task's. When ``holder.lost`` is set it stops by raising LeaseLost (``holder.check()``), and the task queues
        again.
    :param limiter: by default the one in the Redis of :func:`account_limiter.connect`.
    :param expected_seconds: how long the work takes, for calling the next waiter in time.
    :param yields: whether the work stops and queues again when viewers need the slot.
    :param labels: what the lease is shown with, beside the task's own labels.
    :param prepare: called before each request for a slot.
    :param introduce: configures a limiter that does not know the account, for instance since Redis lost its data;
        returns whether it did.
    :param refused: returns the task's result when the account gets no slot. By default it raises SlotRefused.
    :param without_limiter: returns the task's result while Redis is away. By default it raises the error.
    """

    account_id: AccountId
    run: Callable[[Holder, State], Any]
    limiter: Limiter = field(default_factory=lambda: Limiter(connect()))
    expected_seconds: float = 0.0
    yields: bool = False
    labels: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Limiter], None] = _nothing
    introduce: Callable[[Limiter], bool] = _unknown
    refused: Callable[[str], Any] = _raise_refused
    without_limiter: Callable[[LimiterUnavailable], Any] = _raise_unavailable


class SlotOperator(BaseOperator):
    """Does its work while it holds a slot of an account; neither worker nor pool slot is held while it waits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._holder: Holder | None = None
        self._killed = False

    @abstractmethod
    def slot_work(self, context: Context) -> SlotWork:
        """Return the work, and the account whose slot it needs. Called once for each time that the task runs."""

    def execute(self, context: Context) -> Any:
        return self._attempt(context, self.slot_work(context), rank="", state={})

    def resume(self, context: Context, event: dict[str, Any], state: State | None = None) -> Any:
        """Goes on after the trigger's event."""
        work = self.slot_work(context)
        if event["status"] == "refused" and event["reason"] != "unknown_account":
            return work.refused(event["reason"])
        return self._attempt(context, work, rank=event["rank"], state=state or {}, called=event["status"] == "called")

    def on_kill(self) -> None:
        """Ends the wait or the work; the slot is free as soon as nobody uses it any more."""
        self._killed = True
        if self._holder:
            # Airflow calls this in a signal's handler, which may have interrupted the holder of the locks it needs.
            threading.Thread(target=self._holder.stop, args=("killed",), name="on-kill").start()

    def _attempt(self, context: Context, work: SlotWork, *, rank: str, state: State, called: bool = False) -> Any:
        request = _request(context, work)
        try:
            work.prepare(work.limiter)
            answer, rank = self._acquire(work, request, rank=rank, called=called)
        except LimiterUnavailable as error:
            return work.without_limiter(error)
        match answer:
            case Granted(lease):
                return self._hold(work, lease, rank=rank, state=state)
            case Queued(rank=rank):
                return self._defer(request, rank=rank, state=state)
            case Refused("held"):
                return self._defer(request, rank=rank, state=state, delay=HELD_WAIT_SECONDS)
            case Refused(reason):
                return work.refused(reason)

    def _acquire(self, work: SlotWork, request: Request, *, rank: str, called: bool) -> tuple[Answer, str]:
        """Acquire a slot, or queue, and return the place in the queue too; a short wait is spent here.

        :raises LimiterUnavailable: while Redis is away.
        """
        limiter, holder = work.limiter, new_holder()
        answer = limiter.acquire(request, holder, rank=rank)
        if answer == Refused("unknown_account") and work.introduce(limiter):
            answer = limiter.acquire(request, holder, rank=rank)
        if isinstance(answer, Queued) and (called or 0 < answer.due <= SHORT_WAIT_SECONDS):
            patience = CALLED_WAIT_SECONDS if called else SHORT_WAIT_SECONDS
            rank = answer.rank
            answer = limiter.wait(request, holder, timeout=patience, rank=rank, stopped=lambda: self._killed)
            if self._killed and isinstance(answer, Queued):
                limiter.drop(request.lease_id)
        return answer, rank

    def _hold(self, work: SlotWork, lease: Lease, *, rank: str, state: State) -> Any:
        self._holder = Holder(work.limiter, lease, yields=work.yields)
        try:
            with self._holder as holder:
                return work.run(holder, state)
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


def _request(context: Context, work: SlotWork) -> Request:
    task = context["ti"]
    labels = {"dag_id": task.dag_id, "run_id": task.run_id, "map_index": task.map_index, **work.labels}
    return Request(str(task.id), work.account_id, work.expected_seconds, labels=labels)
