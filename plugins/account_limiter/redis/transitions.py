"""Arguments and replies of the transitions, shared by the synchronous and the asyncio client."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from account_limiter.core.errors import LeaseLost
from account_limiter.core.records import (
    AccountLimit,
    AccountState,
    Budget,
    BudgetState,
    BudgetUsage,
    Granted,
    Lease,
    LeaseState,
    Queued,
    Refused,
    ReleaseDelay,
    Renewed,
    Request,
    Snapshot,
    Tick,
    checked_id,
)

Args = list[str | int]
# Larger numbers are cut: Lua computes with floating-point numbers.
_MOST_CONNECTIONS = 1_000_000
_SETTINGS = {
    "global_limit": ("global_limit", 1),
    "lease_ttl": ("lease_ttl", 1000),
    "stale_after": ("stale_after", 1000),
    "stagger_delay": ("stagger", 1000),
    "grant_ttl": ("grant_ttl", 1000),
    "call_lead": ("call_lead", 1000),
    "called_limit": ("called_limit", 1),
    "adapted": ("adapted", 1),
}


def _connections(number: int) -> int:
    return min(number, _MOST_CONNECTIONS)


def _ms(seconds: float) -> int:
    return math.ceil(seconds * 1000)


def _fields(reply: bytes) -> list[str]:
    return _str(reply).split("|")


def _str(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def acquire_args(request: Request, holder: str, *, enqueue: bool, rank: str) -> Args:
    """Return the arguments of ``acquire``.

    :raises ValueError: when an id is invalid.
    """
    return [
        checked_id(request.lease_id), checked_id(holder), checked_id(request.account_id), request.priority,
        int(enqueue), rank, _ms(request.expected_seconds), request.info, _ms(request.life),
    ]  # fmt: skip


def acquired(request: Request, holder: str, asked_at: float, reply: bytes) -> Granted | Queued | Refused:
    """Return the result of ``acquire``.

    :param asked_at: monotonic clock before the call.
    """
    kind, *rest = _fields(reply)
    match kind:
        case "granted":
            budget, *numbers = rest
            generation, at, ttl, life, starts_in, limit, global_limit, *usage = map(int, numbers)
            times = (at / 1000, ttl / 1000, life / 1000, starts_in / 1000)
            limits = (limit, global_limit, BudgetUsage(*usage))
            return Granted(Lease(request, holder, budget, generation, *times, *limits, asked_at))
        case "queued":
            return _queued(rest)
        case _:
            return Refused(rest[0])


def _queued(fields: Sequence[str]) -> Queued:
    rank, due, reason = fields
    return Queued(rank, int(due) / 1000, reason)


def enqueue_args(request: Request, rank: str) -> Args:
    """Return the arguments of ``enqueue``.

    :raises ValueError: when an id is invalid.
    """
    return [
        checked_id(request.lease_id), checked_id(request.account_id), request.priority, rank,
        _ms(request.expected_seconds), request.info,
    ]  # fmt: skip


def enqueued(reply: bytes) -> str | Queued | Refused:
    """Return the place in the queue, or the state ``granted`` or ``held`` of a lease that exists already."""
    kind, *rest = _fields(reply)
    match kind:
        case "queued":
            return _queued(rest)
        case "refused":
            return Refused(rest[0])
        case state:
            return state


def renew_args(lease: Lease, extend: float = 0.0) -> Args:
    """Return the arguments of ``renew``.

    :param extend: new life in seconds of a lease with a fixed one; 0 keeps it.
    """
    request, age = lease.request, lease.age
    kind = "extend" if extend else "keep" if request.life else "beat"
    return [
        request.lease_id, lease.holder, lease.generation, str(request.account_id), lease.budget_id, _ms(age),
        _ms(extend or lease.life - age), _ms(max(0.0, request.expected_seconds - age)), lease.budget_limit,
        lease.global_limit, request.info, kind,
    ]  # fmt: skip


def renewed(lease_id: str, reply: bytes) -> Renewed:
    """Return the result of ``renew``.

    :raises LeaseLost: when the lease has ended.
    """
    kind, *rest = _fields(reply)
    if kind == "lost":
        raise LeaseLost(lease_id, rest[0])
    ttl, life, over, gives_way = map(int, rest)
    return Renewed(ttl / 1000, life / 1000, over, bool(gives_way))


def ticked(reply: Sequence[Any]) -> Tick:
    """Return the result of ``tick``."""
    due, granted = reply
    return Tick(None if due < 0 else due / 1000, tuple(_str(lease_id) for lease_id in granted))


def configure_args(settings: Mapping[str, float], accounts: Iterable[AccountLimit] | None) -> Args:
    """Return the arguments of ``configure``.

    :raises ValueError: when an id is invalid or one budget has two limits.
    """
    args: Args = [len(settings)]
    for name, value in settings.items():
        key, scale = _SETTINGS[name]
        args += [key, math.ceil(value * scale)]
    if accounts is None:
        return [*args, "0"]
    accounts = list(accounts)
    budgets: dict[str, Budget] = {}
    args += ["1", len(accounts)]
    for account in accounts:
        for budget in account.sources:
            known = budgets.setdefault(checked_id(budget.budget_id), budget)
            if known != budget:
                raise ValueError(f"budget {budget.budget_id} has two limits or release delays: {known}, {budget}")
        info = {"account_id": account.account_id, "name": account.name, "limit": account.limit}
        args += [
            checked_id(account.account_id), int(account.active), account.priority, json.dumps(info),
            len(account.sources), *(budget.budget_id for budget in account.sources),
        ]  # fmt: skip
    args.append(len(budgets))
    for budget_id, budget in budgets.items():
        delay = -1 if budget.release_delay is None else _ms(budget.release_delay)
        args += [budget_id, _connections(budget.limit), delay]
    return args


def delay_args(budget_id: str, seconds: float, words: str) -> Args:
    """Return the arguments of ``delay``."""
    return [checked_id(budget_id), _ms(seconds), words]


def viewers_args(viewers: Mapping[str, int], age: float, *, complete: bool) -> Args:
    """Return the arguments of ``viewers``.

    :param age: seconds since the viewers were counted.
    :param complete: budgets that are not named have no viewers.
    """
    args: Args = [_ms(age), int(complete)]
    for budget_id, number in viewers.items():
        args += [checked_id(budget_id), _connections(number)]
    return args


def claim_args(budget_id: str, limit: int, elsewhere: int, words: str) -> Args:
    """Return the arguments of ``claim``.

    :raises ValueError: when a number is negative.
    """
    if min(limit, elsewhere) < 0:
        raise ValueError(f"a claim with a negative number of connections: limit {limit}, elsewhere {elsewhere}")
    return [checked_id(budget_id), _connections(limit), _connections(elsewhere), words]


def snapshot(reply: Sequence[Any]) -> Snapshot:
    """Return the result of ``snapshot``."""
    at, generation, global_limit, lease_ttl, open_at, waiting, raw_leases, raw_accounts, raw_budgets = reply
    leases = tuple(_lease(row) for row in raw_leases)
    # The order of a hash in Redis changes with its size.
    budgets = {budget.budget_id: budget for budget in sorted(map(_budget, raw_budgets), key=lambda one: one.budget_id)}
    active: dict[str, int] = {}
    for lease in leases:
        active[str(lease.account_id)] = active.get(str(lease.account_id), 0) + 1
    accounts = (_account(row, budgets, active) for row in raw_accounts)
    return Snapshot(
        at / 1000, generation, global_limit, lease_ttl / 1000, open_at / 1000, waiting, leases,
        tuple(sorted(accounts, key=lambda account: str(account.account_id))), tuple(budgets.values()),
    )  # fmt: skip


def _lease(row: Sequence[Any]) -> LeaseState:
    lease_id, state, _, budget_id, acquired_at, expires_at, expected_end, info = row
    labels = json.loads(info)
    account_id = labels.pop("account_id")
    return LeaseState(
        _str(lease_id), _str(state), account_id, _str(budget_id), acquired_at / 1000, int(expires_at) / 1000,
        expected_end / 1000, labels,
    )  # fmt: skip


def _budget(row: Sequence[Any]) -> BudgetState:
    (
        budget_id, limit, effective, believed_limit, believed, viewers, elsewhere, active, cool_until, refusals,
        refused_at, claimed, claimed_at, words, lingering, delay, is_set, delay_at, delay_gap, delay_words, exceeded,
        exceeded_at,
    ) = row  # fmt: skip
    release = ReleaseDelay(delay / 1000, bool(is_set), delay_at / 1000, delay_gap / 1000, _str(delay_words))
    return BudgetState(
        _str(budget_id), limit, None if effective < 0 else effective, believed_limit, believed, viewers, elsewhere,
        active, cool_until / 1000, refusals, refused_at / 1000, claimed, claimed_at / 1000, _str(words), lingering,
        release, exceeded, exceeded_at / 1000,
    )  # fmt: skip


def _account(row: Sequence[Any], budgets: Mapping[str, BudgetState], active: Mapping[str, int]) -> AccountState:
    account_id, enabled, priority, budget_ids, waiting, info = row
    stored = json.loads(info)
    own = [budgets[name] for name in map(_str, budget_ids) if name in budgets]
    limits = [budget.effective_limit for budget in own]
    effective = None if None in limits else sum(limit for limit in limits if limit is not None)
    believed = [budget.believed_limit for budget in own]
    return AccountState(
        stored["account_id"], stored["name"], stored["limit"], effective if enabled else 0,
        0 if 0 in believed else sum(believed), tuple(words for budget in own for words in budget.evidence),
        sum(budget.viewers for budget in own), sum(budget.elsewhere for budget in own),
        active.get(_str(account_id), 0), waiting, bool(enabled), priority, tuple(budget.budget_id for budget in own),
    )  # fmt: skip
