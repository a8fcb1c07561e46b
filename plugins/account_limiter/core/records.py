"""Arguments and results of the limiter. Times are seconds; a limit of 0 means unlimited."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

AccountId = int | str
_json = json.JSONEncoder(separators=(",", ":"), default=str).encode
_LONGEST_ID = 250
# Generation of a lease that was made without Redis.
UNREGISTERED = -1


def checked_id(value: AccountId) -> str:
    """Return the id as text that is safe in the keys and replies of the transitions.

    :raises ValueError: when it is empty, longer than 250 characters, or has ``|``, ``,`` or unprintable characters.
    """
    text = str(value)
    if not text or len(text) > _LONGEST_ID or "|" in text or "," in text or not text.isprintable():
        raise ValueError(f"not an id for the limiter: {text!r} (1 to 250 printable characters without '|' and ',')")
    return text


@dataclass(frozen=True)
class Budget:
    """Connections that one login allows. Accounts that share a login name the same budget.

    :param release_delay: seconds for which a slot is held after its release, because the provider still counts the
        closed connection; 60 at most. None learns the time from refusals.
    """

    budget_id: str
    limit: int
    release_delay: float | None = None


@dataclass(frozen=True)
class AccountLimit:
    """An account and the budgets that its slots come from.

    :param limit: slots of the account's own budget; unused when ``budgets`` names others.
    :param priority: head start of the account's waiters over other waiters, in hours.
    :param active: an account that is not active gets no slot.
    :param budgets: budgets to take slots from, in this order; empty for one budget of the account's own.
    """

    account_id: AccountId
    name: str = ""
    limit: int = 0
    priority: int = 0
    active: bool = True
    budgets: tuple[Budget, ...] = ()

    @property
    def sources(self) -> tuple[Budget, ...]:
        """Return the budgets that slots come from."""
        return self.budgets or (Budget(f"account-{self.account_id}", self.limit),)


@dataclass(frozen=True)
class Settings:
    """Settings of a limiter; times are seconds.

    :param global_limit: slots over all accounts.
    :param lease_ttl: life of a lease that is not renewed.
    :param stale_after: longest life of a lease, renewed or not.
    :param stagger_delay: least time between two starts on one budget.
    :param grant_ttl: time that a waiter has to claim its grant.
    :param call_lead: a waiter is called this long before a slot is expected to become free.
    :param called_limit: most waiters that are called at one time, within the global limit; 0 calls none.
    :param adapted: further bound of the global limit, set by :meth:`account_limiter.Limiter.adapt`; 0 for none.
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
    """A request for a slot.

    :param lease_id: id of the lease to be, and of the waiter until then.
    :param expected_seconds: expected duration of the work; 0 when it is unknown.
    :param priority: head start over other waiters, in hours.
    :param labels: values that are stored and shown with the lease; the limiter does not read them.
    :param life: fixed life of the lease in seconds, for a holder that sends no heartbeats and does not yield to
        viewers; 0 for a lease that lives for ``lease_ttl`` and is renewed.
    """

    lease_id: str
    account_id: AccountId
    expected_seconds: float = 0.0
    priority: int = 0
    labels: Mapping[str, Any] = field(default_factory=dict)
    life: float = 0.0

    @property
    def info(self) -> str:
        """Return the account id and the labels as a JSON object."""
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

    :param holder: name of the holder; no other holder can renew or release the lease.
    :param generation: period between two resets; a lease of an earlier period cannot be renewed. ``UNREGISTERED`` for
        a lease that was made without Redis.
    :param acquired_at: time of Redis, in seconds since the epoch.
    :param ttl: life of the lease without renewal, counted from ``asked_at``.
    :param life: longest life of the lease, counted from ``asked_at``.
    :param starts_in: booked start of the work, counted from ``asked_at``.
    :param budget_limit: configured limit of the budget.
    :param usage: use of the budget when the lease was granted.
    :param asked_at: this process' monotonic clock before the call that returned the lease.
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

    @classmethod
    def unregistered(cls, request: Request, holder: str, budget: Budget, settings: Settings) -> Self:
        """Return a lease that Redis does not know yet, for work that begins while Redis is away.

        Correct only when no holder of a lease can be alive: after Redis was away for a whole ``lease_ttl``.

        :param budget: budget of the account that the work uses.
        """
        usage = BudgetUsage(budget.limit, 1, 0)
        limits = budget.limit, settings.global_limit, usage
        return cls(
            request, holder, budget.budget_id, UNREGISTERED, 0.0, math.inf, settings.stale_after, 0.0, *limits,
            time.monotonic(),
        )  # fmt: skip

    @property
    def is_unregistered(self) -> bool:
        """Return whether the lease was made without Redis."""
        return self.generation == UNREGISTERED

    @property
    def age(self) -> float:
        """Return the seconds since ``asked_at``."""
        return time.monotonic() - self.asked_at


@dataclass(frozen=True)
class Granted:
    """The request got a slot."""

    lease: Lease


@dataclass(frozen=True)
class Queued:
    """The request waits for a slot.

    :param rank: place in the queue; a later request with this rank takes the same place.
    :param due: seconds until a slot may become free by time alone, 0 when unknown.
    :param reason: ``full``, or ``closed`` (earlier holders may still be alive after a start of Redis).
    """

    rank: str
    due: float
    reason: str


@dataclass(frozen=True)
class Refused:
    """The request got no slot and does not wait.

    :param reason: ``unknown_account``, ``inactive``, ``full``, ``closed`` (earlier holders may still be alive after a
        restart of Redis) or ``held`` (another live holder has this lease id).
    """

    reason: str


@dataclass(frozen=True)
class Renewed:
    """A renewed lease.

    :param ttl: life of the lease without a further renewal.
    :param life: rest of the longest life of the lease.
    :param over: number of leases above the present limit of the budget, since viewers came or the limit was lowered.
    :param gives_way: the budget has viewers, and this lease is among its ``over`` youngest.
    """

    ttl: float
    life: float
    over: int
    gives_way: bool


@dataclass(frozen=True)
class Tick:
    """Result of a tick.

    :param due: seconds until the passing of time changes something, None when it changes nothing.
    :param granted: ids of all grants that are not claimed yet.
    """

    due: float | None
    granted: tuple[str, ...]


@dataclass(frozen=True)
class Reset:
    """Numbers of leases and waiters that a reset dropped."""

    released: int
    waiters_dropped: int


@dataclass(frozen=True)
class QueueState:
    """The waiters of all accounts.

    :param waiting: number of waiters.
    :param unattended: number of waiters that no triggerer and no worker has asked for in the last 25 s. A running
        triggerer asks every 10 s.
    :param oldest_at: time since which the oldest waiter has waited, in seconds since the epoch; None without waiters.
    """

    waiting: int
    unattended: int
    oldest_at: float | None


@dataclass(frozen=True)
class LeaseState:
    """A lease in a snapshot; times are seconds since the epoch.

    :param state: ``held``, or ``granted`` until its waiter claims it.
    """

    lease_id: str
    state: str
    account_id: AccountId
    budget_id: str
    acquired_at: float
    expires_at: float
    expected_end: float
    labels: Mapping[str, Any]


@dataclass(frozen=True)
class ReleaseDelay:
    """The time for which a provider counts a closed connection, and its evidence; times are seconds.

    :param seconds: a slot is held for this time after its release.
    :param is_set: the time is configured.
    :param learned_at: time since the epoch at which it was learned; 0 for never.
    :param gap: a connection was refused this time after another one had ended; 0 for no refusal.
    :param words: the provider's statement, as text.
    """

    seconds: float
    is_set: bool
    learned_at: float
    gap: float
    words: str

    @property
    def evidence(self) -> tuple[str, ...]:
        """Return why slots are held after their release, in a sentence; empty when they are not."""
        if not self.seconds:
            return ()
        reason = "as configured"
        if not self.is_set:
            words = self.words or f"it refused a connection {self.gap:.1f} s after another one had ended"
            reason = f"{words}, at {_utc(self.learned_at)}"
        return (f"a closed connection counts for {self.seconds:.1f} s: {reason}",)


@dataclass(frozen=True)
class Closed:
    """The connections of a budget that ended in the last minute.

    :param number: number of them.
    :param age: seconds since the latest.
    """

    number: int
    age: float


@dataclass(frozen=True)
class BudgetState:
    """A budget in a snapshot; times are seconds since the epoch.

    :param limit: configured limit.
    :param effective_limit: leases that the budget allows now, after viewers; None when unlimited.
    :param believed_limit: lowest of the configured, claimed and learned limit; 0 when unlimited.
    :param believed: limit learned from refusals; 0 for none.
    :param elsewhere: connections that the provider counts beyond leases and viewers.
    :param active: leases, those included that a reset ended but whose holders have not stopped yet.
    :param lingering: closed connections that the provider still counts.
    :param release: the time for which it does so.
    :param exceeded: connections above the limit when this last went on for more than 5 s, at ``exceeded_at``; 0 for
        never.
    :param cool_until: time before which the budget grants no slot.
    :param refusals: number of connections that the provider refused as too many.
    :param claimed: limit that the provider states; 0 for none.
    :param words: statement of the provider as text.
    """

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
    lingering: int
    release: ReleaseDelay
    exceeded: int
    exceeded_at: float

    @property
    def evidence(self) -> tuple[str, ...]:
        """Return the evidence for ``believed_limit``, a sentence each."""
        sentences = []
        if self.claimed_at:
            sentences.append(f"{self.words}, at {_utc(self.claimed_at)}")
        if self.refusals:
            refused = "1 connection" if self.refusals == 1 else f"{self.refusals} connections"
            sentences.append(f"refused {refused} as too many, the last at {_utc(self.refused_at)}")
        return (*sentences, *self.release.evidence)


@dataclass(frozen=True)
class AccountState:
    """An account in a snapshot.

    :param limit: configured limit of the account's own budget.
    :param effective_limit: leases that its budgets allow now; None when unlimited, 0 when the account is not active.
    :param believed_limit: sum of its budgets' limits as configured, claimed and learned; 0 when unlimited.
    :param evidence: evidence of its budgets.
    :param budgets: ids of its budgets.
    """

    account_id: AccountId
    name: str
    limit: int
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
    """The limiter at one moment; times are seconds since the epoch.

    :param open_at: time before which no slot is granted after a restart of Redis, because earlier holders may be alive.
    """

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
        """Return the number of leases."""
        return len(self.leases)


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
