"""The limiter's HTTP routes, for an application that decides who may call them."""

# FastAPI reads the annotations of the routes, which name arguments of `router`: they must not be strings.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from account_limiter.core.errors import LimiterUnavailable
from account_limiter.core.history import History
from account_limiter.core.records import AccountId, AccountLimit, AccountState, BudgetState, LeaseState, Snapshot
from account_limiter.redis.limiter import Limiter


@dataclass(frozen=True)
class Concurrency:
    """Configured concurrency.

    :param enabled: work runs concurrently while Redis is up.
    :param global_limit: limit shown while Redis is away; 0 means unlimited.
    """

    enabled: bool
    global_limit: int


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class GlobalUse(_Model):
    """Use of the global slots; ``limit`` 0 means unlimited."""

    limit: int = Field(examples=[10], description="Slots over all accounts; 0: unlimited")
    active: int = Field(examples=[4], description="Slots in use")
    waiting: int = Field(examples=[2], description="Waiting tasks")


class BudgetUse(_Model):
    """Use of one login."""

    budget_id: str = Field(description="Id of the login")
    limit: int = Field(description="Configured number of connections; 0: unlimited")
    effective_limit: int | None = Field(description="Connections that remain for leases; null: unlimited")
    believed_limit: int = Field(description="Lowest of `limit`, `claimed` and `believed`; 0: unlimited")
    claimed: int = Field(description="Connections that the provider states; 0: none stated")
    believed: int = Field(description="Connections that refusals suggest; 0: none suggested")
    evidence: list[str] = Field(description="Reasons for the believed limit")
    viewers: int = Field(description="Connections of viewers")
    elsewhere: int = Field(description="Connections beyond viewers and leases")
    active: int = Field(description="Leases in use")
    refusals: int = Field(description="Number of refusals")
    refused_at: datetime | None = Field(description="Time of the last refusal")
    claimed_at: datetime | None = Field(description="Time of the provider's statement")
    cool_until: datetime | None = Field(description="Time until which no new connection starts")


class AccountUse(_Model):
    """Use of an account. ``limit`` and ``believed_limit`` 0 and ``effective_limit`` null mean unlimited."""

    account_id: AccountId = Field(examples=[1], description="Id of the account")
    name: str = Field(examples=["Provider A"], description="Name of the account")
    limit: int = Field(examples=[3], description="Configured number of connections; 0: unlimited")
    effective_limit: int | None = Field(examples=[2], description="Connections that remain for leases; null: unlimited")
    believed_limit: int = Field(
        examples=[3], description="Connections that the provider is believed to allow; 0: unlimited"
    )
    evidence: list[str] = Field(
        examples=[["the panel reports max_connections 3, at 2026-01-02T03:04:05+00:00"]],
        description="Reasons for the believed limit",
    )
    viewers: int = Field(examples=[1], description="Connections of viewers")
    elsewhere: int = Field(examples=[0], description="Connections beyond viewers and leases")
    active: int = Field(examples=[2], description="Leases in use")
    waiting: int = Field(examples=[2], description="Waiting tasks")
    enabled: bool = Field(description="Whether the account may be used")
    priority: int = Field(description="Priority; higher ones get slots first")
    budgets: list[BudgetUse] = Field(description="Use of each login of the account")


class LeaseUse(_Model):
    """A lease with the labels of its request. ``state`` is ``granted`` until the waiting task claims its slot."""

    lease_id: str = Field(description="Id of the lease")
    state: Literal["held", "granted"] = Field(
        description="`granted` until the waiting task claims its slot, then `held`"
    )
    account_id: AccountId = Field(description="Id of the account")
    acquired_at: datetime = Field(description="Time of the grant")
    expires_at: datetime = Field(description="Time at which it expires unless it is renewed")
    labels: dict[str, Any] = Field(description="Labels of the request")


class Status(BaseModel):
    """Limits in use at one moment. No slot is granted before ``open_at`` after a restart of Redis."""

    model_config = ConfigDict(populate_by_name=True)

    mode: Literal["concurrent", "sequential"] = Field(description="Whether work runs concurrently")
    redis: Literal["up", "down"] = Field(description="Whether Redis is available")
    all: GlobalUse = Field(alias="global", description="Use over all accounts")
    accounts: Sequence[AccountUse] = Field(description="Use of each account")
    leases: Sequence[LeaseUse] = Field(description="Leases in use")
    open_at: datetime | None = Field(
        None, description="Time of the first grant after a restart of Redis; null: slots are granted"
    )


class Use(_Model):
    """Use over time, one value for each step."""

    active: list[float] = Field(description="Mean of the slots in use")
    waiting: list[float] = Field(description="Mean of the waiting tasks")
    granted: list[int] = Field(description="Number of granted requests")
    refused: list[int] = Field(description="Number of refused requests")
    finished: list[int] = Field(description="Number of finished leases")
    finished_per_minute: list[float] = Field(description="Finished leases per minute")
    wait: list[float] = Field(description="Mean wait of granted requests in seconds")


class AccountHistory(Use):
    """Use of an account over time. The account ``""`` sums up the least busy accounts above 100."""

    account_id: str = Field(description="Id of the account; empty for the least busy accounts above 100")


class UseHistory(BaseModel):
    """Series of equal steps; ``at`` is the begin of each, ``step`` its length in seconds. The last has not ended."""

    model_config = ConfigDict(populate_by_name=True)

    step: float = Field(description="Length of a step in seconds")
    at: list[datetime] = Field(description="Begin of each step")
    all: Use = Field(alias="global", description="Use over all accounts")
    accounts: list[AccountHistory] = Field(description="Use of each account")


class ResetDone(_Model):
    """Numbers of leases and waiters that a reset dropped."""

    released: int = Field(description="Number of leases that were dropped")
    waiters_dropped: int = Field(description="Number of waiters that were dropped")


def router(
    *,
    limiter: Callable[..., Limiter],
    concurrency: Callable[..., Concurrency],
    reader: Any,
    editor: Any,
    expensive: Sequence[Any] = (),
    status_model: type[Status] = Status,
    known_accounts: Callable[[], Sequence[AccountLimit]] = tuple,
) -> APIRouter:
    """Return the routes under ``/concurrency``.

    :param limiter: dependency that returns the limiter.
    :param concurrency: dependency that returns the configured concurrency.
    :param reader: ``Depends`` that rejects users who may not read.
    :param editor: ``Depends`` that rejects users who may not change.
    :param expensive: ``Depends`` that limit the calls of slow routes.
    :param known_accounts: returns the accounts that the status lists while Redis is away.
    :param status_model: model of the status, for an application that shows labels as fields of their own.
    """
    routes = APIRouter(prefix="/concurrency", tags=["concurrency"])

    @routes.get("/status", dependencies=[reader], response_model=status_model)
    def status(
        limiter: Annotated[Limiter, Depends(limiter)],
        concurrency: Annotated[Concurrency, Depends(concurrency)],
    ) -> Status:
        """Return slots in use and waiting tasks, over all and by account. Without Redis the mode is sequential."""
        try:
            snapshot = limiter.snapshot()
        except LimiterUnavailable:
            limit = GlobalUse(limit=concurrency.global_limit, active=0, waiting=0)
            accounts = [_unused(account) for account in known_accounts()]
            away = {"mode": "sequential", "redis": "down", "all": limit, "accounts": accounts, "leases": []}
            return status_model.model_validate(away)
        return status_model.model_validate(_status(snapshot, concurrency))

    @routes.get("/history", dependencies=[reader, *expensive])
    def history(
        limiter: Annotated[Limiter, Depends(limiter)],
        since: Annotated[
            datetime | None, Query(description="An hour ago by default; steps of 10 s for a day, of 300 s for 30 days")
        ] = None,
        step: Annotated[
            float, Query(ge=10, le=86400, description="Seconds; grows where the stored steps or the size require it")
        ] = 60,
    ) -> UseHistory:
        """Return slots in use, waiting tasks and finished tasks over time, over all and by account."""
        begin = _utc(since) if since else datetime.now(UTC) - timedelta(hours=1)
        return _history(limiter.history(begin.timestamp(), step))

    @routes.post("/reset", dependencies=[editor])
    def reset(limiter: Annotated[Limiter, Depends(limiter)]) -> ResetDone:
        """Drop every lease and waiter, for recovery. Running work notices it and stops; waiting tasks queue again."""
        return ResetDone.model_validate(limiter.reset())

    return routes


def _status(snapshot: Snapshot, concurrency: Concurrency) -> dict[str, Any]:
    budgets = {budget.budget_id: _budget(budget) for budget in snapshot.budgets}
    return {
        "mode": "concurrent" if concurrency.enabled else "sequential",
        "redis": "up",
        "all": {"limit": snapshot.global_limit, "active": snapshot.active, "waiting": snapshot.waiting},
        "accounts": [_account(account, budgets) for account in snapshot.accounts],
        "leases": [_lease(lease) for lease in snapshot.leases],
        "open_at": _time(snapshot.open_at) if snapshot.open_at > snapshot.at else None,
    }


def _unused(account: AccountLimit) -> dict[str, Any]:
    counts = dict.fromkeys(("viewers", "elsewhere", "active", "waiting", "priority"), 0)
    limit = sum(budget.limit for budget in account.sources)
    limits: dict[str, Any] = {
        "limit": limit,
        "believed_limit": limit,
        "effective_limit": limit or None,
        "evidence": [],
        "budgets": [],
    }
    return {"account_id": account.account_id, "name": account.name, "enabled": account.active, **counts, **limits}


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


def _account(account: AccountState, budgets: dict[str, BudgetUse]) -> dict[str, Any]:
    return {**vars(account), "budgets": [budgets[budget_id] for budget_id in account.budgets]}


def _budget(budget: BudgetState) -> BudgetUse:
    times = {name: _time(getattr(budget, name)) for name in ("refused_at", "claimed_at", "cool_until")}
    return BudgetUse(**{name: getattr(budget, name) for name in BudgetUse.model_fields if name not in times}, **times)


def _lease(lease: LeaseState) -> dict[str, Any]:
    return {**vars(lease), "acquired_at": _time(lease.acquired_at), "expires_at": _time(lease.expires_at)}


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
