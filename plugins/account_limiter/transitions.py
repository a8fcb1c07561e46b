"""Each transition's arguments and answer, for the clients of both kinds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from account_limiter.errors import LeaseLost
from account_limiter.records import (
    Account,
    AccountState,
    BudgetState,
    Granted,
    Lease,
    LeaseState,
    Queued,
    Refused,
    Renewed,
    Request,
    Snapshot,
    Tick,
    checked_id,
)

Args = list[str | int]
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


def _ms(seconds: float) -> int:
    return math.ceil(seconds * 1000)


def _str(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def acquire_args(request: Request, holder: str, *, enqueue: bool, rank: str) -> Args:
    return [
        checked_id(request.lease_id), checked_id(holder), checked_id(request.account_id), request.priority,
        int(enqueue), rank, _ms(request.expected_seconds), request.info,
    ]  # fmt: skip


def acquired(request: Request, holder: str, asked_at: float, answer: Sequence[Any]) -> Granted | Queued | Refused:
    kind, *rest = answer
    match _str(kind):
        case "granted":
            budget, generation, at, *seconds, limit, global_limit = rest
            ttl, life, starts_in = (milliseconds / 1000 for milliseconds in seconds)
            known = (_str(budget), generation, at / 1000, ttl, life, starts_in, limit, global_limit)
            return Granted(Lease(request, holder, *known, asked_at))
        case "queued":
            rank, position, due = rest
            return Queued(_str(rank), position, due / 1000)
        case _:
            return Refused(_str(rest[0]))


def enqueue_args(request: Request, rank: str) -> Args:
    return [
        checked_id(request.lease_id), checked_id(request.account_id), request.priority, rank,
        _ms(request.expected_seconds), request.info,
    ]  # fmt: skip


def enqueued(answer: Sequence[Any]) -> str | Queued | Refused:
    """The state ``granted`` or ``held`` of the lease that is there already, or the place in the queue."""
    kind, *rest = answer
    match _str(kind):
        case "queued":
            return Queued(_str(rest[0]), rest[1], rest[2] / 1000)
        case "refused":
            return Refused(_str(rest[0]))
        case state:
            return state


def renew_args(lease: Lease) -> Args:
    request, age = lease.request, lease.age
    return [
        request.lease_id, lease.holder, lease.generation, str(request.account_id), lease.budget_id, _ms(age),
        _ms(lease.life - age), _ms(max(0.0, request.expected_seconds - age)), lease.budget_limit, lease.global_limit,
        request.info,
    ]  # fmt: skip


def renewed(lease_id: str, answer: Sequence[Any]) -> Renewed:
    kind, *rest = answer
    if _str(kind) == "lost":
        raise LeaseLost(lease_id, _str(rest[0]))
    ttl, life, over, gives_way = rest
    return Renewed(ttl / 1000, life / 1000, over, bool(gives_way))


def ticked(answer: Sequence[Any]) -> Tick:
    due, granted = answer
    return Tick(None if due < 0 else due / 1000, tuple(_str(one) for one in granted))


def configure_args(settings: Mapping[str, float], accounts: Iterable[Account] | None) -> Args:
    args: Args = [len(settings)]
    for name, value in settings.items():
        key, scale = _SETTINGS[name]
        args += [key, math.ceil(value * scale)]
    if accounts is None:
        return [*args, "0"]
    accounts = list(accounts)
    budgets: dict[str, int] = {}
    args += ["1", len(accounts)]
    for account in accounts:
        for budget in account.sources:
            if budgets.setdefault(checked_id(budget.budget_id), budget.limit) != budget.limit:
                raise ValueError(
                    f"budget {budget.budget_id} has two limits: {budgets[budget.budget_id]}, {budget.limit}"
                )
        info = {"account_id": account.account_id, "name": account.name, "max_streams": account.max_streams}
        args += [
            checked_id(account.account_id), int(account.active), account.priority,
            ",".join(budget.budget_id for budget in account.sources), json.dumps(info),
        ]  # fmt: skip
    args.append(len(budgets))
    for budget_id, limit in budgets.items():
        args += [budget_id, limit]
    return args


def viewers_args(viewers: Mapping[str, int], at: float, *, complete: bool) -> Args:
    args: Args = [int(at * 1000), int(complete)]
    for budget_id, number in viewers.items():
        args += [checked_id(budget_id), number]
    return args


def snapshot(answer: Sequence[Any]) -> Snapshot:
    at, generation, global_limit, lease_ttl, open_at, waiting, raw_leases, raw_accounts, raw_budgets = answer
    leases = tuple(_lease(row) for row in raw_leases)
    budgets = {budget.budget_id: budget for budget in map(_budget, raw_budgets)}
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
    budget_id, limit, effective, believed, viewers, active, cool_until, refusals, refused_at = row
    return BudgetState(
        _str(budget_id), limit, None if effective < 0 else effective, believed, viewers, active, cool_until / 1000,
        refusals, refused_at / 1000,
    )  # fmt: skip


def _account(row: Sequence[Any], budgets: Mapping[str, BudgetState], active: Mapping[str, int]) -> AccountState:
    account_id, enabled, priority, budget_ids, waiting, info = row
    known = json.loads(info)
    own = [budgets[name] for name in map(_str, budget_ids) if name in budgets]
    limits = [budget.effective_limit for budget in own]
    effective = None if None in limits else sum(limit for limit in limits if limit is not None)
    return AccountState(
        known["account_id"], known["name"], known["max_streams"], effective if enabled else 0,
        sum(budget.viewers for budget in own), active.get(_str(account_id), 0), waiting, bool(enabled), priority,
        tuple(budget.budget_id for budget in own),
    )  # fmt: skip
