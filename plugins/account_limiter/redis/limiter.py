"""The limiter for code that is not on an event loop."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redis import Redis

from account_limiter.core.history import History, history, history_args
from account_limiter.core.machine_load import MachineLoad
from account_limiter.core.records import (
    AccountLimit,
    Closed,
    Granted,
    Lease,
    Queued,
    QueueState,
    Refused,
    Renewed,
    Request,
    Reset,
    Snapshot,
    Tick,
)
from account_limiter.redis import transitions
from account_limiter.redis.library import DEFAULT_PREFIX, library
from account_limiter.redis.wire import wire

log = logging.getLogger(__name__)

# Interval between two looks for a grant; a waiter has to wake up within 250 ms.
_LOOK_SECONDS = 0.1


class Limiter:
    """Slots of accounts, and global slots, in one Redis.

    Guaranteed: the leases of a budget never exceed its limit less its viewers, the leases of all budgets never exceed
    the global limit, and a holder that stops renewing loses its lease after ``lease_ttl``, also when Redis restarts or
    loses its data. Waiters of one account are served by priority and then in the order of arrival.

    Not guaranteed: that a holder which ignores a lost lease stops.

    Every method runs one atomic transition on the clock of Redis, may be repeated after a lost reply, and raises
    :class:`~account_limiter.LimiterUnavailable` while Redis is away.

    :param redis: client of the server that keeps the state.
    :param prefix: beginning of all keys, with a tag in braces. Limiters with different prefixes do not affect each
        other; two projects that share a Redis use two prefixes.
    """

    def __init__(self, redis: Redis, prefix: str = DEFAULT_PREFIX) -> None:
        library(prefix)
        self.prefix = prefix
        # A client that nobody refers to closes its connections.
        self._redis = redis
        self._wire = wire(redis)

    def _run(self, name: str, *args: Any) -> Any:
        return self._wire.run(library(self.prefix), name, args)

    def configure(self, *, accounts: Iterable[AccountLimit] | None = None, **settings: float) -> None:
        """Replace all accounts of this prefix, and change the settings that are named.

        Existing leases stay; a lowered limit is reached as they end. Limits learned from refusals stay.
        When no account names a budget any more, its leases, viewers and learned limit move to the budget in its place.

        :param accounts: all accounts of this prefix; None keeps the present ones.
        :param settings: fields of :class:`~account_limiter.Settings`.
        :raises ValueError: when an id is invalid or one budget has two limits or release delays.
        """
        self._run("configure", *transitions.configure_args(settings, accounts))

    def acquire(
        self, request: Request, holder: str, *, enqueue: bool = True, rank: str = ""
    ) -> Granted | Queued | Refused:
        """Take a slot of the account and a global slot, or neither.

        The same holder may ask again for the lease that it has.

        :param holder: name of the holder, from :func:`new_holder`.
        :param enqueue: queue the request in the same step when there is no slot.
        :param rank: place in the queue that an earlier call returned.
        """
        args = transitions.acquire_args(request, holder, enqueue=enqueue, rank=rank)
        asked_at = time.monotonic()
        return transitions.acquired(request, holder, asked_at, self._run("acquire", *args))

    def wait(
        self,
        request: Request,
        holder: str,
        *,
        timeout: float,
        rank: str = "",
        stopped: Callable[[], bool] = lambda: False,
        prepare: Callable[[], None] = lambda: None,
    ) -> Granted | Queued | Refused:
        """Queue the request and wait in this thread until a slot is granted.

        :param timeout: longest wait in seconds. A request that is still queued then keeps its place.
        :param prepare: called before each request for the slot, for instance to count the viewers.
        :param stopped: ends the wait early when it returns True.
        """
        deadline = time.monotonic() + timeout
        while True:
            prepare()
            answer = self.acquire(request, holder, rank=rank)
            left = deadline - time.monotonic()
            if not isinstance(answer, Queued) or left <= 0 or stopped():
                return answer
            rank = answer.rank
            time.sleep(min(left, _LOOK_SECONDS, answer.due or _LOOK_SECONDS))

    def renew(self, lease: Lease, *, extend: float = 0.0) -> Renewed:
        """Prolong the lease. A lease with a fixed life keeps its end, but registers again if Redis lost it.

        :param extend: new life in seconds of a lease with a fixed one.
        :raises LeaseLost: when the lease has ended.
        """
        return transitions.renewed(lease.request.lease_id, self._run("renew", *transitions.renew_args(lease, extend)))

    def place(self, lease_id: str) -> int:
        """Return the place of a waiter in the queue of its account, 1 for the first; 0 when it does not wait."""
        return int(self._run("place", lease_id))

    def release(self, lease: Lease, *, succeeded: bool = False, starved: bool | None = None) -> bool:
        """Give the slot back.

        :param succeeded: the provider served the connection, which confirms the budget's limit.
        :param starved: the connection was slower than real time, for :meth:`adapt`; None when that is unknown.
        :returns: whether the lease was held until now.
        """
        outcome, pace = "ok" if succeeded else "", "" if starved is None else int(starved)
        return bool(self._run("release", lease.request.lease_id, lease.holder, outcome, pace))

    def drop(self, lease_id: str) -> bool:
        """Remove a waiter or a grant that is not claimed yet. A held lease stays.

        :returns: whether there was such a waiter or grant.
        """
        return bool(self._run("release", lease_id, "", "", ""))

    def report_busy(self, lease: Lease, *, retry_after: float = 10.0) -> int | None:
        """Report that the provider refused this connection as too many.

        The budget starts nothing for ``retry_after`` seconds. Its limit falls to the number of connections that were
        served, unless it has served as many before and a connection ended shortly before: then the provider still
        counted that one, and slots are held for longer after their release.

        :returns: the limit learned, None when the lease is not held any more.
        """
        return self._busy(lease, "refused", retry_after)

    def suspect_busy(self, lease: Lease, *, retry_after: float = 10.0) -> int | None:
        """Report that the provider may have refused this connection as too many.

        The budget is limited as by :meth:`report_busy`, but only until :meth:`settle_suspicion` or one minute after
        ``retry_after``, and without evidence against the account.

        :returns: the limit suspected, None when the lease is not held any more.
        """
        return self._busy(lease, "suspected", retry_after)

    def settle_suspicion(self, lease: Lease, *, right: bool) -> int | None:
        """Confirm the suspicion about the lease's budget (``right``) or withdraw it.

        It is confirmed when the same work succeeded with fewer connections.

        :returns: the limit learned, 0 for none, None when the lease is not held any more.
        """
        return self._busy(lease, "confirmed" if right else "unfounded", 0.0)

    def _busy(self, lease: Lease, kind: str, retry_after: float) -> int | None:
        believed = self._run("busy", lease.request.lease_id, lease.holder, kind, int(retry_after * 1000))
        return None if believed < 0 else int(believed)

    def set_viewers(self, viewers: Mapping[str, int], *, age: float = 0.0, complete: bool = True) -> int:
        """Set the number of viewers of each budget. An older count never replaces a newer one.

        :param viewers: number of viewers by budget id.
        :param age: seconds since the viewers were counted.
        :param complete: budgets that are not named have no viewers.
        :returns: number of budgets whose count changed.
        """
        return int(self._run("viewers", *transitions.viewers_args(viewers, age, complete=complete)))

    def claim(self, budget_id: str, *, limit: int, elsewhere: int, words: str) -> bool:
        """Set the limit and the connections that a provider states for a login.

        :param limit: connections that the provider allows, valid for a day; 0 when it states none.
        :param elsewhere: connections beyond leases and viewers that the provider counts, valid for ten minutes.
        :param words: statement of the provider as text, shown as evidence.
        :returns: whether the budget exists.
        """
        return bool(self._run("claim", *transitions.claim_args(budget_id, limit, elsewhere, words)))

    def set_release_delay(self, budget_id: str, seconds: float, words: str) -> bool:
        """Set the time for which the provider counts a closed connection, as its panel showed it.

        A configured time goes before it.

        :param seconds: 60 at most.
        :param words: observation as text, shown as evidence.
        :returns: whether the budget exists.
        """
        return bool(self._run("delay", *transitions.delay_args(budget_id, seconds, words)))

    def adapt(self, load: MachineLoad, *, floor: int, ceiling: int) -> int:
        """Move the global limit one step towards what the machine and its line can bear.

        The limit moves at most once in 10 s. It falls when the machine is busy, or when in the last minute most
        connections on most accounts were slower than real time. It never exceeds the configured global limit.
        ``configure(adapted=0)`` removes the bound.

        :param floor: least limit.
        :param ceiling: greatest limit.
        :returns: the global limit in force.
        """
        before, after, why = self._run("adapt", load.direction, floor, ceiling, str(load))
        if before != after:
            log.info("The global limit changes from %d to %d: %s", before, after, why.decode())
        return int(after)

    def tick(self) -> Tick:
        """Apply the passing of time: end expired leases and grant their slots."""
        return transitions.ticked(self._run("tick"))

    def reset(self) -> Reset:
        """Drop every lease and waiter.

        Holders notice it at their next renewal. A slot is granted again when its holder has stopped, or when its lease
        would have expired.
        """
        return Reset(*self._run("reset"))

    def open_now(self) -> None:
        """Grant slots at once after a start of Redis. Correct only when no earlier holder is alive."""
        self._run("open")

    def history(self, since: float, step: float) -> History:
        """Return the use over time.

        A day is kept in steps of 10 s, 30 days in steps of 300 s.

        :param since: begin, in seconds since the epoch.
        :param step: least length of a step in seconds; it grows where the stored steps or the size require it.
        """
        return history(since, step, self._run("history", *history_args(since, step)))

    def queue(self) -> QueueState:
        """Return the state of the queue without changing it, also while Redis cannot write."""
        waiting, unattended, oldest = self._run("waiters")
        return QueueState(waiting, unattended, oldest / 1000 or None)

    def closed_lately(self) -> dict[str, Closed]:
        """Return the connections that ended in the last minute, by budget id."""
        return {budget.decode(): Closed(number, age / 1000) for budget, number, age in self._run("closed")}

    def snapshot(self) -> Snapshot:
        """Return the whole state at one moment without changing it."""
        return transitions.snapshot(self._run("snapshot"))


def new_holder() -> str:
    """Return a unique name for a holder."""
    return uuid.uuid4().hex
