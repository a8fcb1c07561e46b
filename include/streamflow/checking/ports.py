"""The protocols of the parts that a check is given."""

from __future__ import annotations

import threading
from typing import Protocol

from streamflow.probing.target import KnownFigures
from streamflow.records import Result, Stream


class BudgetUsage(Protocol):
    """The use of a login."""

    @property
    def connections(self) -> int:
        """Return the number of its connections in use, by checks and by viewers."""


class SlotLease(Protocol):
    """The lease of a slot, as it was granted."""

    @property
    def budget_id(self) -> str:
        """Return the budget, one for each login, that the slot comes from."""

    @property
    def budget_limit(self) -> int:
        """Return the number of connections that the login allows; 0 means unlimited."""

    @property
    def usage(self) -> BudgetUsage:
        """Return the use of the login when the slot was granted, this slot included."""


class Slot(Protocol):
    """A slot of an account, held for one connection. Implemented by :class:`account_limiter.Holder`."""

    @property
    def lease(self) -> SlotLease:
        """Return the lease of the slot."""

    @property
    def lost(self) -> threading.Event:
        """Return the event that is set when the connection must be closed."""

    def check(self) -> None:
        """Raise the limiter's error when the slot is lost."""

    def report_busy(self, *, retry_after: float) -> int | None:
        """Report that the provider refused the connection as one too many.

        :param retry_after: seconds without another start on the account.
        """

    def suspect_busy(self, *, retry_after: float) -> int | None:
        """Report that the provider may have refused the connection; the next try decides."""

    def settle_suspicion(self, *, right: bool) -> int | None:
        """Report whether the connection before was refused."""

    def release(self, *, succeeded: bool, starved: bool | None) -> None:
        """Give the slot back.

        :param succeeded: the stream was served, so the connection was not one too many.
        :param starved: the stream came slower than it plays; None where that was not measured.
        """


class SlateMemory(Protocol):
    """Slates of accounts that were shown while connections were to spare."""

    def known(self, account_id: int | None) -> tuple[bytes, ...]:
        """Return the latest slates of an account; none while the memory is away."""

    def learn(self, account_id: int | None, slate: bytes) -> None:
        """Remember a slate of an account, as far as the memory is there."""


class ResultSink(Protocol):
    """The place where a run's results are kept."""

    def outage(self, stream_id: int, attempts: int) -> str:
        """Return why the provider is down, so that the stream must not be probed; else an empty text.

        :param attempts: the number of the check's tries before this one.
        """

    def suspect(self, result: Result) -> None:
        """Take the failure of a try, which another try follows, as evidence about the provider."""

    def kept(self, stream_id: int) -> Result | None:
        """Return the result of a stream that an earlier try of its check kept in this run."""

    def last_good(self, stream: Stream) -> KnownFigures | None:
        """Return the figures of a stream at its last good check under the same URL; None where nobody has read them."""

    def recent(self, stream: Stream) -> Result | None:
        """Return a result that another run has found since this run was planned, and that is still fresh."""

    def is_long_dead(self, stream: Stream) -> bool:
        """Return whether the last checks in a row found the stream dead under the same URL: one try is enough."""

    def keep(self, result: Result, thumbnail: bytes | None = None) -> None:
        """Keep the result of a check, and a picture of the stream in JPEG."""
