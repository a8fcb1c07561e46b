"""Holding a lease: a heartbeat that renews it, and a watch that tells in time when it is lost."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from account_limiter.core.errors import LeaseLost, LimiterUnavailable
from account_limiter.core.records import Lease
from account_limiter.redis.limiter import Limiter

log = logging.getLogger(__name__)


class Holder:
    """Keeps a lease alive while its block runs, and gives the slot back after it.

    ``lost`` is set before the slot can be given away: whoever uses the slot must stop then. Time is counted on this
    process' monotonic clock from before each renewal was sent, so a slow answer shortens the lease, never prolongs it.
    One that ``yields`` loses its lease, by the reason ``viewer``, when viewers need the slot and it is among the
    youngest of its budget. To a lowered limit holders drain down by ending.
    Thread-safe; entering waits for the start that the limiter booked.
    """

    def __init__(self, limiter: Limiter, lease: Lease, *, yields: bool = False) -> None:
        self.lease = lease
        self.lost = threading.Event()
        self.yields = yields
        self.reason: str | None = None
        self._limiter = limiter
        self._changed = threading.Condition()
        self._done = threading.Event()
        self._released = False
        self._deadline = lease.asked_at + self._usable(lease.ttl)
        self._threads = [
            threading.Thread(target=self._beat, name=f"heartbeat-{lease.request.lease_id}", daemon=True),
            threading.Thread(target=self._watch, name=f"lease-watch-{lease.request.lease_id}", daemon=True),
        ]

    @staticmethod
    def _usable(ttl: float) -> float:
        """Of a lease's life, what its holder uses: the rest is for stopping."""
        return ttl - min(2.0, ttl * 0.15)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.lost.wait(max(0.0, self.lease.starts_in - self.lease.age))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release(succeeded=kind is None and not self.lost.is_set())

    def check(self) -> None:
        """Raises LeaseLost once the lease is lost."""
        if self.lost.is_set():
            raise LeaseLost(self.lease.request.lease_id, self.reason or "unreachable")

    def stop(self, reason: str) -> None:
        """Tell whoever uses the slot to stop, as if the lease were lost; the slot is given back when its block ends."""
        self._lose(reason)

    def report_busy(self, *, retry_after: float = 10.0) -> int | None:
        """See :meth:`Limiter.report_busy`."""
        return self._limiter.report_busy(self.lease, retry_after=retry_after)

    def suspect_busy(self, *, retry_after: float = 10.0) -> int | None:
        """See :meth:`Limiter.suspect_busy`."""
        return self._limiter.suspect_busy(self.lease, retry_after=retry_after)

    def settle_suspicion(self, *, right: bool) -> int | None:
        """See :meth:`Limiter.settle_suspicion`."""
        return self._limiter.settle_suspicion(self.lease, right=right)

    def release(self, *, succeeded: bool = False, starved: bool | None = None) -> None:
        """Stop the heartbeat and give the slot back at once; once is enough. With Redis away it expires by itself.

        See :meth:`Limiter.release` for what the work may tell.
        """
        self._done.set()
        with self._changed:
            self._changed.notify_all()
            if self._released:
                return
            self._released = True
        try:
            self._limiter.release(self.lease, succeeded=succeeded, starved=starved)
        except LimiterUnavailable as error:
            log.warning("lease %s is left to expire: %s", self.lease.request.lease_id, error)

    def _beat(self) -> None:
        pause = self.lease.ttl / 3
        while not self._done.wait(pause) and not self.lost.is_set():
            sent = time.monotonic()
            try:
                renewed = self._limiter.renew(self.lease)
            except LeaseLost as error:
                self._lose(error.reason)
                return
            except LimiterUnavailable as error:
                log.warning("lease %s could not be renewed, trying again: %s", self.lease.request.lease_id, error)
                pause = min(0.5, self.lease.ttl / 10)
                continue
            if self.yields and renewed.gives_way:
                self._lose("viewer")
                return
            pause = max(0.05, min(renewed.ttl, self.lease.ttl) / 3 - (time.monotonic() - sent))
            with self._changed:
                self._deadline = sent + self._usable(renewed.ttl)
                self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while not self._done.is_set() and not self.lost.is_set():
                left = self._deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
        if not self._done.is_set():
            self._lose("unreachable")

    def _lose(self, reason: str) -> None:
        with self._changed:
            if not self.lost.is_set():
                self.reason = reason
                self.lost.set()
            self._changed.notify_all()
