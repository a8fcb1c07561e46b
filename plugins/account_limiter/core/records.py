"""What the limiter takes and answers. Times are seconds; a limit of 0 means unlimited."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

AccountId = int | str
_json = json.JSONEncoder(separators=(",", ":"), default=str).encode


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def checked_id(value: AccountId) -> str:
    """The id as the scripts know it; raises ValueError for what could break a record."""
    text = str(value)
    if not text or len(text) > 250 or "|" in text or "," in text or not text.isprintable():
        raise ValueError(f"not an id for the limiter: {text!r} (1 to 250 printable characters without '|' and ',')")
    return text


@dataclass(frozen=True)
class Budget:
    """Connections that one login allows. Accounts that share a login name the same budget."""

    budget_id: str
    limit: int


@dataclass(frozen=True)
class Account:
    """An account and where its slots come from.

    Without ``budgets`` it has one of its own with ``max_streams``; with several (an account's profiles) a slot comes
    from the first that has room. Higher ``priority`` is served first.
    """

    account_id: AccountId
    name: str = ""
    max_streams: int = 0
    priority: int = 0
    active: bool = True
    budgets: tuple[Budget, ...] = ()

    @property
    def sources(self) -> tuple[Budget, ...]:
        return self.budgets or (Budget(f"account-{self.account_id}", self.max_streams),)


@dataclass(frozen=True)
class Settings:
    """How long leases live, how starts are spaced and how early waiters are called; seconds.

    ``called_limit``: so many waiters at once are called ``call_lead`` before a slot is expected to come free (0: none),
    as far as ``global_limit`` leaves room beside those who hold a slot. ``adapted`` bounds the global limit further,
    0: not at all; see :meth:`account_limiter.redis.limiter.Limiter.adapt`.
    """

    global_limit: int = 10
    lease_ttl: float = 30.0
    stale_after: float = 3600.0
    stagger_delay: float = 0.2
    grant_ttl: float = 20.0
    call_lead: float = 1.5
    called_limit: int = 2
    adapted: int = 0


@dataclass(frozen=True)
class Request:
    """Who asks for a slot of which account. ``labels`` is carried along and shown, never looked into."""

    lease_id: str
    account_id: AccountId
    expected_seconds: float = 0.0
    priority: int = 0
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def info(self) -> str:
        return _json({"account_id": self.account_id, **self.labels})


@dataclass(frozen=True)
class BudgetUsage:
    """Connections of a budget at the moment when a lease of it was granted.

    :param limit: limit in force: the lowest of the configured limit, the provider's claim and the limit learned from
        refusals; 0 means unlimited. Viewers are not subtracted.
    :param active: leases of the budget, the granted one included.
    :param viewers: connections that people use.
    """

    limit: int
    active: int
    viewers: int

    @property
    def connections(self) -> int:
        """Return the number of leases and viewers."""
        return self.active + self.viewers


@dataclass(frozen=True)
class Lease:
    """A slot that is held.

    ``ttl``, ``life`` and ``starts_in`` count from ``asked_at``, this process' monotonic clock before the call that
    brought them; the other times are Redis' and since the epoch. ``budget_limit`` is the configured limit of the
    budget, ``usage`` its use when the lease was granted.
    """

    request: Request
    holder: str
    budget_id: str
    generation: int
    acquired_at: float
    ttl: float
    life: float
    starts_in: float
    budget_limit: int
    global_limit: int
    usage: BudgetUsage
    asked_at: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.asked_at


@dataclass(frozen=True)
class Granted:
    lease: Lease


@dataclass(frozen=True)
class Queued:
    """``rank`` keeps the place; ``position`` counts within the account from 1; ``due`` is the time in seconds until
    the passing of time alone may free something, 0 when unknown."""

    rank: str
    position: int
    due: float


@dataclass(frozen=True)
class Refused:
    """``reason``: ``unknown_account``, ``inactive``, ``full``, ``closed`` (waiting for holders from before a restart
    of Redis) or ``held`` (another live holder has this lease id)."""

    reason: str


@dataclass(frozen=True)
class Renewed:
    """``over``: by how many leases the budget exceeds what it allows now, since viewers came or a limit was lowered;
    ``gives_way``: there are viewers, and this lease is among its budget's youngest, that many."""

    ttl: float
    life: float
    over: int
    gives_way: bool


@dataclass(frozen=True)
class Tick:
    """``due``: seconds until time alone changes something, None if nothing will; ``granted``: unclaimed grants."""

    due: float | None
    granted: tuple[str, ...]


@dataclass(frozen=True)
class Reset:
    released: int
    waiters_dropped: int


@dataclass(frozen=True)
class LeaseState:
    """``state`` is ``held``, or ``granted`` while its waiter has not come back. Times are seconds since the epoch."""

    lease_id: str
    state: str
    account_id: AccountId
    budget_id: str
    acquired_at: float
    expires_at: float
    expected_end: float
    labels: Mapping[str, Any]


@dataclass(frozen=True)
class BudgetState:
    """A login. Of the limits ``limit`` is configured, ``claimed`` said by the provider and ``believed`` taught by
    refusals (0: nothing); ``believed_limit`` is the lowest of them, 0 when unlimited, and ``effective_limit`` what it
    leaves to checks, None when unlimited. ``elsewhere`` counts the connections that neither viewers nor checks hold.
    ``active`` counts the holders that a reset has not stopped yet, too."""

    budget_id: str
    limit: int
    effective_limit: int | None
    believed_limit: int
    believed: int
    viewers: int
    elsewhere: int
    active: int
    cool_until: float
    refusals: int
    refused_at: float
    claimed: int
    claimed_at: float
    words: str

    @property
    def evidence(self) -> tuple[str, ...]:
        """What speaks for the limit, a sentence each."""
        found = []
        if self.claimed_at:
            found.append(f"{self.words}, at {_utc(self.claimed_at)}")
        if self.refusals:
            refused = "1 connection" if self.refusals == 1 else f"{self.refusals} connections"
            found.append(f"refused {refused} as one too many, the last at {_utc(self.refused_at)}")
        return tuple(found)


@dataclass(frozen=True)
class AccountState:
    """``effective_limit`` is None and ``believed_limit`` 0 when unlimited; ``evidence`` is that of its logins."""

    account_id: AccountId
    name: str
    max_streams: int
    effective_limit: int | None
    believed_limit: int
    evidence: tuple[str, ...]
    viewers: int
    elsewhere: int
    active: int
    waiting: int
    enabled: bool
    priority: int
    budgets: tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """The limiter at one moment. ``open_at`` is in the future while it waits for holders from before a restart."""

    at: float
    generation: int
    global_limit: int
    lease_ttl: float
    open_at: float
    waiting: int
    leases: tuple[LeaseState, ...]
    accounts: tuple[AccountState, ...]
    budgets: tuple[BudgetState, ...]

    @property
    def active(self) -> int:
        return len(self.leases)
