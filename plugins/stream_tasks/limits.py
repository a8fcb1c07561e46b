"""The limiter's inputs: the settings, the accounts of the UDI, and the viewers in Dispatcharr."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import datetime
from typing import cast

from airflow.configuration import conf
from redis import Redis
from redis.exceptions import RedisError

from account_limiter import (
    AccountLimit,
    Budget,
    Lease,
    Limiter,
    LimiterUnavailable,
    MachineLoad,
    Request,
    Settings,
    new_holder,
)
from stream_tasks.resources import Resources
from streamflow import records, sources
from streamflow.checking.budgets import budget_limits, budgets_of, is_filled, viewers_of_budgets
from streamflow.config import Config
from streamflow.errors import StreamFlowError
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

# Streams that belong to no account have no limit but the global one.
NO_ACCOUNT = "custom"
# All checks together read the viewers at most once in this time, and none asks for a slot with an older count.
VIEWERS_SECONDS = 1.0
# The longest wait for another check that reads the viewers.
VIEWERS_WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.02
# The state of the viewers' count, as long as it is current.
_COUNT = "{streamflow}:viewers:count"
# All checks together read the total at most once in this time.
TOTAL_SECONDS = 5
_TOTAL = "{streamflow}:viewers:total"
_COUNTING, _COUNTED = b"counting", b"counted"


def configure(limiter: Limiter, store: Store, settings: Config) -> bool:
    """Configure the limiter with the accounts and the settings, and return whether Redis is there to limit."""
    section = settings.concurrent_streams
    adapted = {} if section.adaptive else {"adapted": 0}
    try:
        accounts = limited_accounts(store.library.accounts(), settings)
        limiter.configure(accounts=accounts, **limiter_settings(settings), **adapted)
    except LimiterUnavailable as error:
        log.warning("no limiter: %s", error)
        return False
    return True


def limiter_settings(settings: Config) -> dict[str, float]:
    """Return the settings that the limiter enforces.

    A global limit is at most the number of tasks that Airflow runs at once. A waiter whose slot is free but who finds
    no worker would keep the slot from others until its grant expires.
    """
    enforced = settings.concurrent_streams.limiter_settings
    workers = conf.getint("core", "parallelism")
    if enforced["global_limit"] and workers > 0:
        enforced["global_limit"] = min(enforced["global_limit"], workers)
    return enforced


def limited_accounts(accounts: Iterable[records.Account], settings: Config) -> list[AccountLimit]:
    """Return the limiter's accounts: each draws from its login's budget, and from those of its further profiles."""
    accounts = list(accounts)
    limits, delays = budget_limits(accounts), release_delays(accounts, settings)
    priorities = settings.concurrent_streams.account_priority
    limited = [
        AccountLimit(
            account.id,
            account.name,
            account.max_streams,
            priorities.get(str(account.id), priorities.get(account.name, 0)),
            account.is_active,
            tuple(Budget(budget, limits[budget], delays.get(budget)) for budget in budgets_of(account)),
        )
        for account in accounts
    ]
    return [*limited, AccountLimit(NO_ACCOUNT, "without account")]


def release_delays(accounts: Iterable[records.Account], settings: Config) -> dict[str, float]:
    """Return the release delay of each budget that has a configured one: the longest of the accounts that share it."""
    configured = settings.concurrent_streams.release_delay
    delays: dict[str, float] = {}
    for account in accounts:
        delay = configured.get(str(account.id), configured.get(account.name))
        for budget in budgets_of(account) if delay is not None else ():
            delays[budget] = max(delay or 0.0, delays.get(budget, 0.0))
    return delays


def limited_id(account_id: int | None) -> int | str:
    """Return the limiter's account for an account of the UDI, or for no account."""
    return NO_ACCOUNT if account_id is None else account_id


def exceeded_accounts(limiter: Limiter, since: datetime) -> dict[int, int]:
    """Return the accounts that had more connections than their limit for a while, with the number above it.

    While Redis is away nothing is known.
    """
    try:
        snapshot = limiter.snapshot()
    except LimiterUnavailable as error:
        log.warning("accounts above their limit are unknown: %s", error)
        return {}
    exceeded = {one.budget_id: one.exceeded for one in snapshot.budgets if one.exceeded_at >= since.timestamp()}
    found = {}
    for account in snapshot.accounts:
        most = max((exceeded.get(budget, 0) for budget in account.budgets), default=0)
        if most and isinstance(account.account_id, int):
            found[account.account_id] = most
    return found


def unregistered(resources: Resources, account: records.Account | None, request: Request) -> Lease:
    """Return a lease for a check that begins while Redis is away, from the login of its account."""
    section = resources.settings.concurrent_streams
    if account is None:
        (budget,) = AccountLimit(NO_ACCOUNT).sources
    else:
        budget = Budget(account.budget, budget_limits(resources.store.library.accounts())[account.budget])
    settings = Settings(global_limit=section.global_limit, stale_after=section.stale_after)
    return Lease.unregistered(request, new_holder(), budget, settings)


def prepare(resources: Resources, limiter: Limiter) -> None:
    """Report the viewers and the load of this machine to the limiter before it is asked for a slot.

    :raises LimiterUnavailable: while Redis is away.
    """
    refresh_viewers(resources.redis, resources.store, resources.settings)
    adapt(limiter, resources.settings)


def adapt(limiter: Limiter, settings: Config) -> None:
    """Let the global limit follow the load of this machine, where that is switched on.

    :raises LimiterUnavailable: while Redis is away.
    """
    section = settings.concurrent_streams
    if section.adaptive:
        ceiling = section.global_limit or section.adaptive_ceiling
        limiter.adapt(MachineLoad.measure(), floor=min(section.adaptive_floor, ceiling), ceiling=ceiling)


def refresh_viewers(redis: Redis, store: Store, settings: Config, *, waits: bool = True) -> None:
    """Report the viewers of each budget to the limiter once a second, or wait for the process that is doing so.

    While Dispatcharr is away the last count holds.

    :param waits: wait for another process that counts; a holder of a slot does not, because it learns the count.
    :raises LimiterUnavailable: while Redis is away.
    """
    if not settings.concurrent_streams.respect_viewers:
        return
    try:
        if _claim_count(redis, VIEWERS_WAIT_SECONDS if waits else 0.0):
            count_viewers(redis, store, settings)
            redis.set(_COUNT, _COUNTED, xx=True, keepttl=True)
    except RedisError as error:
        raise LimiterUnavailable(f"Redis: {error}") from error


def count_viewers(redis: Redis, store: Store, settings: Config) -> None:
    """Report the viewers of each budget to the limiter, also when they were counted a moment before.

    :raises LimiterUnavailable: while Redis is away.
    """
    if not settings.concurrent_streams.respect_viewers:
        return
    asked_at = time.monotonic()
    viewers = _viewers()
    if viewers is not None:
        counts = viewers_of_budgets(viewers, store.library.accounts())
        Limiter(redis).set_viewers(counts, age=time.monotonic() - asked_at)


def _claim_count(redis: Redis, patience: float) -> bool:
    """Return whether the caller has to count the viewers; wait while another process counts them.

    :param patience: longest wait in seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        state = redis.set(_COUNT, _COUNTING, nx=True, get=True, px=int(VIEWERS_SECONDS * 1000))
        if state != _COUNTING or not patience:
            return state is None
        if time.monotonic() > deadline:
            log.warning("another check has not counted the viewers within %g s", patience)
            return False
        time.sleep(_POLL_SECONDS)


def believed_limits(limiter: Limiter) -> dict[str, int]:
    """Return the limit that the limiter believes of each budget; nothing while Redis is away."""
    try:
        return {budget.budget_id: budget.believed_limit for budget in limiter.snapshot().budgets}
    except LimiterUnavailable:
        return {}


def viewers_now(redis: Redis) -> int:
    """Return the number of viewers, counted a few seconds ago at most; 0 while nobody can watch."""
    try:
        counted = cast("bytes | None", redis.get(_TOTAL))
    except RedisError as error:
        log.warning("the last count of viewers cannot be read: %s", error)
        counted = None
    if counted is not None:
        return int(counted)
    total = sum((_viewers(redis) or {}).values())
    try:
        redis.set(_TOTAL, total, ex=TOTAL_SECONDS)
    except RedisError as error:
        log.warning("the count of viewers cannot be shared: %s", error)
    return total


def viewers_fill(account: records.Account) -> bool:
    """Return whether viewers use all connections of the account's own login; False while Dispatcharr is away."""
    viewers = _viewers() if account.max_streams else None
    return viewers is not None and is_filled(account, viewers)


def _viewers(redis: Redis | None = None) -> dict[int, int] | None:
    """Return the number of viewers by profile; None while Dispatcharr is away."""
    try:
        with sources.opened(redis=redis) as source:
            return source.viewers()
    except StreamFlowError as error:
        log.warning("the viewers are unknown: %s", error)
        return None
