"""A held lease: a heartbeat renews it, and a watch reports in time when it is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from account_limiter.core.errors import LeaseLost, LimiterUnavailable
from account_limiter.core.records import Lease
from account_limiter.redis.limiter import Limiter

log = logging.getLogger(__name__)

# A Redis that has lost its data grants no slot for 30 s. Every holder has to register again within this time.
LONGEST_PAUSE_SECONDS = 10.0
# Viewers are noticed within twice this time.
OBSERVE_SECONDS = 0.8
# Pause between two tries to register a lease that was made without Redis; Redis grants no slot for a longer time after
# it hung.
REGISTER_SECONDS = 0.2


class Holder:
    """Keeps a lease alive while its block runs, and gives the slot back at its end. Thread-safe.

    Guaranteed: ``lost`` is set before the slot can be granted to another holder. The user of the slot has to stop then.
    Time counts on this process' monotonic clock from before each renewal was sent, so a slow reply shortens the lease
    and never prolongs it. Entering the block waits for the start that the limiter booked.

    A lease that was made without Redis (:meth:`account_limiter.Lease.unregistered`) has no deadline until it is
    registered, as soon as Redis responds. It is lost when there is no room for it then.

    :param observe: called every second in a thread of its own, for instance to count viewers.
    :param yields: look every second whether viewers need the slot. Lose the lease, with the reason ``viewer``, when
        they do and the lease is among the youngest of its budget. A lowered limit takes no lease away.
    """

    def __init__(
        self, limiter: Limiter, lease: Lease, *, yields: bool = False, observe: Callable[[], None] | None = None
    ) -> None:
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
        if observe:
            name = f"observe-{lease.request.lease_id}"
            self._threads.append(threading.Thread(target=self._observe, args=(observe,), name=name, daemon=True))

    @staticmethod
    def _usable(ttl: float) -> float:
        """Return the part of a lease's life that its holder uses; the rest is for stopping."""
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
        """Raise an error if the lease is lost.

        :raises LeaseLost: when the lease is lost.
        """
        if self.lost.is_set():
            raise LeaseLost(self.lease.request.lease_id, self.reason or "unreachable")

    def stop(self, reason: str) -> None:
        """Mark the lease as lost, so that the user of the slot stops. The end of the block gives the slot back."""
        self._lose(reason)

    def report_busy(self, *, retry_after: float = 10.0) -> int | None:
        """Report a refused connection, see :meth:`Limiter.report_busy`; None also while Redis is away."""
        return self._reported(lambda: self._limiter.report_busy(self.lease, retry_after=retry_after))

    def suspect_busy(self, *, retry_after: float = 10.0) -> int | None:
        """Report a possibly refused connection as :meth:`report_busy` does, see :meth:`Limiter.suspect_busy`."""
        return self._reported(lambda: self._limiter.suspect_busy(self.lease, retry_after=retry_after))

    def settle_suspicion(self, *, right: bool) -> int | None:
        """Confirm or withdraw a suspicion, see :meth:`Limiter.settle_suspicion`; None also while Redis is away."""
        return self._reported(lambda: self._limiter.settle_suspicion(self.lease, right=right))

    def _reported(self, report: Callable[[], int | None]) -> int | None:
        try:
            return report()
        except LimiterUnavailable as error:
            # The provider refuses again, and this is reported then.
            log.warning("A report of lease %s is lost: %s", self.lease.request.lease_id, error)
            return None

    def release(self, *, succeeded: bool = False, starved: bool | None = None) -> None:
        """Stop the heartbeat and give the slot back, see :meth:`Limiter.release`.

        A second call does nothing. While Redis is away, the lease is left to expire.
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
            log.warning("Lease %s is left to expire: %s", self.lease.request.lease_id, error)

    def _observe(self, observe: Callable[[], None]) -> None:
        while not self._done.wait(OBSERVE_SECONDS) and not self.lost.is_set():
            try:
                observe()
            except Exception as error:  # noqa: BLE001 - the next look may succeed, and the work goes on
                log.warning("An observation of lease %s failed: %s", self.lease.request.lease_id, error)

    def _beat(self) -> None:
        # Without a limit no viewer can need the slot.
        longest = OBSERVE_SECONDS if self.yields and self.lease.usage.limit else LONGEST_PAUSE_SECONDS
        pause = 0.0 if self.lease.is_unregistered else min(longest, self.lease.ttl / 3)
        while not self._done.wait(pause) and not self.lost.is_set():
            sent = time.monotonic()
            try:
                renewed = self._limiter.renew(self.lease)
            except LeaseLost as error:
                self._lose(error.reason)
                return
            except LimiterUnavailable as error:
                log.warning("Lease %s could not be renewed, trying again: %s", self.lease.request.lease_id, error)
                pause = REGISTER_SECONDS if self.lease.is_unregistered else min(0.5, self.lease.ttl / 10)
                continue
            if self.yields and renewed.gives_way:
                self._lose("viewer")
                return
            pause = min(longest, renewed.ttl / 3, self.lease.ttl / 3)
            pause = max(0.05, pause - (time.monotonic() - sent))
            with self._changed:
                self._deadline = sent + self._usable(renewed.ttl)
                self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while not self._done.is_set() and not self.lost.is_set():
                left = self._deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
        if not self._done.is_set():
            self._lose("unreachable")

    def _lose(self, reason: str) -> None:
        with self._changed:
            if not self.lost.is_set():
                self.reason = reason
                self.lost.set()
            self._changed.notify_all()
