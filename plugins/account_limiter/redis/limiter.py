"""The limiter, for whoever is not on an event loop."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redis import Redis

from account_limiter.core.adaptive import Reading
from account_limiter.core.history import History, history, history_args
from account_limiter.core.records import (
    Account,
    Granted,
    Lease,
    Queued,
    Refused,
    Renewed,
    Request,
    Reset,
    Snapshot,
    Tick,
)
from account_limiter.redis import transitions, wire

log = logging.getLogger(__name__)

# The search for a grant between two looks; the wake-up is to come within 250 ms.
_LOOK_SECONDS = 0.1


class Limiter:
    """Slots of accounts, and the global ones, in one Redis.

    Every method is one atomic script on Redis' clock and raises LimiterUnavailable while Redis is away. All of them
    may be repeated after an answer that was lost on the way.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._wire = wire.of(redis)

    def _run(self, name: str, *args: Any) -> Any:
        return self._wire.run(name, args)

    def configure(self, *, accounts: Iterable[Account] | None = None, **settings: float) -> None:
        """Take over all accounts, and those fields of :class:`~account_limiter.core.records.Settings` that are named.

        Leases in use stay; a lowered limit is reached as they end. What was learned of a budget stays.
        """
        self._run("configure", *transitions.configure_args(settings, accounts))

    def acquire(
        self, request: Request, holder: str, *, enqueue: bool = True, rank: str = ""
    ) -> Granted | Queued | Refused:
        """Take a slot of the account and a global one, or neither.

        The same holder may ask again for what it has. With ``enqueue`` one who gets nothing is queued in the same
        step, at ``rank`` if it had one before.
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
    ) -> Granted | Queued | Refused:
        """Queue, and wait for the grant in this thread for at most ``timeout`` seconds, keeping the place after."""
        deadline = time.monotonic() + timeout
        while True:
            answer = self.acquire(request, holder, rank=rank)
            left = deadline - time.monotonic()
            if not isinstance(answer, Queued) or left <= 0 or stopped():
                return answer
            rank = answer.rank
            time.sleep(min(left, _LOOK_SECONDS, answer.due or _LOOK_SECONDS))

    def renew(self, lease: Lease) -> Renewed:
        """Prolong the lease. Raises LeaseLost."""
        return transitions.renewed(lease.request.lease_id, self._run("renew", *transitions.renew_args(lease)))

    def release(self, lease: Lease, *, succeeded: bool = False, starved: bool | None = None) -> bool:
        """Give the slot back; False if it was not held any more. A success speaks for the account's limit; ``starved``
        tells, where that is known, that the connection did not keep up with real time: see :meth:`adapt`."""
        outcome, pace = "ok" if succeeded else "", "" if starved is None else int(starved)
        return bool(self._run("release", lease.request.lease_id, lease.holder, outcome, pace))

    def drop(self, lease_id: str) -> bool:
        """Forget a waiter, or a grant that nobody has claimed; a lease that is held stays."""
        return bool(self._run("release", lease_id, "", "", ""))

    def report_busy(self, lease: Lease, *, retry_after: float = 10.0) -> int | None:
        """The provider said that this connection is one too many: no start for ``retry_after`` seconds, and at most
        as many at once as worked. Answers the limit believed from now on, None if the lease is not held any more."""
        return self._busy(lease, "refused", retry_after)

    def suspect_busy(self, lease: Lease, *, retry_after: float = 10.0) -> int | None:
        """This connection may be one too many: as :meth:`report_busy`, but for a minute after the rest only, or until
        :meth:`settle_suspicion`, and no evidence against the account."""
        return self._busy(lease, "suspected", retry_after)

    def settle_suspicion(self, lease: Lease, *, right: bool) -> int | None:
        """What was suspected of the lease's budget was seen again with fewer connections (not ``right``), or was not:
        then it was a refusal."""
        return self._busy(lease, "confirmed" if right else "unfounded", 0.0)

    def _busy(self, lease: Lease, kind: str, retry_after: float) -> int | None:
        believed = self._run("busy", lease.request.lease_id, lease.holder, kind, int(retry_after * 1000))
        return None if believed < 0 else int(believed)

    def set_viewers(self, viewers: Mapping[str, int], *, age: float = 0.0, complete: bool = True) -> int:
        """Note the viewers of each budget as they were ``age`` seconds ago; an older view never replaces a newer one.
        With ``complete``, budgets that are not named have none. Answers the changes."""
        return int(self._run("viewers", *transitions.viewers_args(viewers, age, complete=complete)))

    def claim(self, budget_id: str, *, limit: int, elsewhere: int, words: str) -> bool:
        """Note what a provider says of a login, in ``words`` to be shown: the connections that it allows (0: it does
        not say), believed for a day, and those in use that are none of ours, which count for ten minutes. Answers
        whether there is such a budget."""
        return bool(self._run("claim", *transitions.claim_args(budget_id, limit, elsewhere, words)))

    def adapt(self, reading: Reading, *, floor: int, ceiling: int) -> int:
        """Let the global limit follow what a machine and its line bear, between ``floor`` and ``ceiling`` and never
        above the one that is configured; one step in 10 s, whoever calls. The line is full when most accounts' works of
        the last minute starved. Answers the limit. ``configure(adapted=0)`` ends it."""
        before, after, why = self._run("adapt", reading.direction, floor, ceiling, str(reading))
        if before != after:
            log.info("global limit %d instead of %d: %s", after, before, why.decode())
        return int(after)

    def tick(self) -> Tick:
        """Let pass what time alone brings about: expiries and the grants that follow."""
        return transitions.ticked(self._run("tick"))

    def reset(self) -> Reset:
        """Drop every lease and waiter. Holders notice at their next renewal; until they have stopped, or are certain to
        have, their slots are not given away."""
        return Reset(*self._run("reset"))

    def open_now(self) -> None:
        """Skip the wait for earlier holders after a start of Redis. Only for whoever knows that none is alive."""
        self._run("open")

    def history(self, since: float, step: float) -> History:
        """What happened ``since`` (seconds since the epoch), in steps of at least ``step`` seconds.

        A day is kept at 10 s, 30 days at 300 s; the step is made longer where that is needed. Changes nothing.
        """
        return history(since, step, self._run("history", *history_args(since, step)))

    def snapshot(self) -> Snapshot:
        """Everything at one moment, without changing it."""
        return transitions.snapshot(self._run("snapshot"))


def new_holder() -> str:
    """A name for one holder's life."""
    return uuid.uuid4().hex
