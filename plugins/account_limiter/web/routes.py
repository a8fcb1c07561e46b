"""The limiter's own HTTP routes, to be included in an application that knows who may call them."""

# FastAPI reads the annotations of the routes, which name arguments of `router`: they must not be strings.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from account_limiter.core.errors import LimiterUnavailable
from account_limiter.core.history import History
from account_limiter.core.records import AccountId, AccountState, BudgetState, LeaseState, Snapshot
from account_limiter.redis.limiter import Limiter


@dataclass(frozen=True)
class Policy:
    """What the configuration says: whether to check concurrently at all, and the limit while Redis cannot tell."""

    enabled: bool
    global_limit: int


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class GlobalUse(_Answer):
    """``limit`` 0 means unlimited."""

    limit: int = Field(examples=[10])
    active: int = Field(examples=[4])
    waiting: int = Field(examples=[2])


class BudgetUse(_Answer):
    """What one login allows: ``limit`` is configured, ``claimed`` said by the provider, ``believed`` learned from
    ``refusals`` (0: nothing); ``believed_limit`` is the lowest of them (0: unlimited), ``evidence`` what speaks for it.
    ``elsewhere`` counts the connections that neither viewers nor checks hold."""

    budget_id: str
    limit: int
    effective_limit: int | None
    believed_limit: int
    claimed: int
    believed: int
    evidence: list[str]
    viewers: int
    elsewhere: int
    active: int
    refusals: int
    refused_at: datetime | None
    claimed_at: datetime | None
    cool_until: datetime | None


class AccountUse(_Answer):
    """``max_streams`` and ``believed_limit`` 0 and ``effective_limit`` null mean unlimited."""

    account_id: AccountId = Field(examples=[1])
    name: str = Field(examples=["Provider A"])
    max_streams: int = Field(examples=[3])
    effective_limit: int | None = Field(examples=[2])
    believed_limit: int = Field(examples=[3])
    evidence: list[str] = Field(examples=[["the panel says max_connections 3, 1 in use, at 2026-01-02T03:04:05+00:00"]])
    viewers: int = Field(examples=[1])
    elsewhere: int = Field(examples=[0])
    active: int = Field(examples=[2])
    waiting: int = Field(examples=[2])
    enabled: bool
    priority: int
    budgets: list[BudgetUse]


class LeaseUse(_Answer):
    """``state`` is ``granted`` while the task that waited for the slot has not come back yet."""

    lease_id: str
    state: Literal["held", "granted"]
    account_id: AccountId
    stream_id: int | None
    dag_id: str | None
    run_id: str | None
    map_index: int | None
    acquired_at: datetime
    expires_at: datetime


class Status(BaseModel):
    """Limits in use at one moment; ``open_at``: after a restart of Redis nobody is let in before."""

    model_config = ConfigDict(populate_by_name=True)

    mode: Literal["concurrent", "sequential"]
    redis: Literal["up", "down"]
    all: GlobalUse = Field(alias="global")
    accounts: list[AccountUse]
    leases: list[LeaseUse]
    open_at: datetime | None = None


class Use(_Answer):
    """One value a step: means of ``active`` and ``waiting``, counts of what was ``granted``, ``refused`` and
    ``finished``, the mean time in seconds that those granted had waited."""

    active: list[float]
    waiting: list[float]
    granted: list[int]
    refused: list[int]
    finished: list[int]
    finished_per_minute: list[float]
    wait: list[float]


class AccountHistory(Use):
    """The account ``""`` stands for the least busy ones of very many."""

    account_id: str


class UseHistory(BaseModel):
    """Series of equal steps; ``at`` is the start of each, ``step`` its length in seconds. The last is not over yet."""

    model_config = ConfigDict(populate_by_name=True)

    step: float
    at: list[datetime]
    all: Use = Field(alias="global")
    accounts: list[AccountHistory]


class ResetDone(_Answer):
    released: int
    waiters_dropped: int


def router(
    *,
    limiter: Callable[..., Limiter],
    policy: Callable[..., Policy],
    reader: Any,
    editor: Any,
    expensive: Sequence[Any] = (),
) -> APIRouter:
    """Routes under ``/concurrency``.

    :param limiter: dependency that gives the limiter.
    :param policy: dependency that gives what the configuration says.
    :param reader: ``Depends`` that refuses who may not read.
    :param editor: ``Depends`` that refuses who may not change.
    :param expensive: ``Depends`` that bound what takes long.
    """
    routes = APIRouter(prefix="/concurrency", tags=["concurrency"])

    @routes.get("/status", dependencies=[reader])
    def status(limiter: Annotated[Limiter, Depends(limiter)], policy: Annotated[Policy, Depends(policy)]) -> Status:
        """Slots in use and tasks waiting, over all and for each account. Without Redis checks go one after another."""
        try:
            snapshot = limiter.snapshot()
        except LimiterUnavailable:
            limit = GlobalUse(limit=policy.global_limit, active=0, waiting=0)
            return Status(mode="sequential", redis="down", all=limit, accounts=[], leases=[])
        return _status(snapshot, policy)

    @routes.get("/history", dependencies=[reader, *expensive])
    def history(
        limiter: Annotated[Limiter, Depends(limiter)],
        since: Annotated[
            datetime | None, Query(description="An hour ago by default; a day is kept in detail, 30 days in outline")
        ] = None,
        step: Annotated[
            float, Query(ge=10, le=86400, description="Seconds; made longer where needed for what is kept, or in size")
        ] = 60,
    ) -> UseHistory:
        """Slots in use, tasks waiting and checks per minute over time, over all and for each account."""
        begin = _utc(since) if since else datetime.now(UTC) - timedelta(hours=1)
        return _history(limiter.history(begin.timestamp(), step))

    @routes.post("/reset", dependencies=[editor])
    def reset(limiter: Annotated[Limiter, Depends(limiter)]) -> ResetDone:
        """Drop every lease and waiter, for recovery. Running checks notice and stop; waiting ones queue again."""
        return ResetDone.model_validate(limiter.reset())

    return routes


def _status(snapshot: Snapshot, policy: Policy) -> Status:
    budgets = {budget.budget_id: _budget(budget) for budget in snapshot.budgets}
    return Status(
        mode="concurrent" if policy.enabled else "sequential",
        redis="up",
        all=GlobalUse(limit=snapshot.global_limit, active=snapshot.active, waiting=snapshot.waiting),
        accounts=[_account(account, budgets) for account in snapshot.accounts],
        leases=[_lease(lease) for lease in snapshot.leases],
        open_at=_time(snapshot.open_at) if snapshot.open_at > snapshot.at else None,
    )


def _history(history: History) -> UseHistory:
    return UseHistory(
        step=history.step,
        at=[datetime.fromtimestamp(seconds, UTC) for seconds in history.at],
        all=Use.model_validate(history.total),
        accounts=[
            AccountHistory(account_id=account_id, **Use.model_validate(series).model_dump())
            for account_id, series in history.accounts.items()
        ],
    )


def _account(account: AccountState, budgets: dict[str, BudgetUse]) -> AccountUse:
    return AccountUse(
        **{name: getattr(account, name) for name in AccountUse.model_fields if name != "budgets"},
        budgets=[budgets[name] for name in account.budgets],
    )


def _budget(budget: BudgetState) -> BudgetUse:
    times = {name: _time(getattr(budget, name)) for name in ("refused_at", "claimed_at", "cool_until")}
    return BudgetUse(**{name: getattr(budget, name) for name in BudgetUse.model_fields if name not in times}, **times)


def _lease(lease: LeaseState) -> LeaseUse:
    labels = {name: lease.labels.get(name) for name in ("stream_id", "dag_id", "run_id", "map_index")}
    return LeaseUse.model_validate(
        {
            "lease_id": lease.lease_id,
            "state": lease.state,
            "account_id": lease.account_id,
            "acquired_at": _time(lease.acquired_at),
            "expires_at": _time(lease.expires_at),
            **labels,
        }
    )


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
