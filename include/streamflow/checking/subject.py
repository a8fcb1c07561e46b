"""The subject of a check: a stream and its account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from streamflow.config import Config
from streamflow.records import Account, Result, Stream, Verdict
from streamflow.udi.ports import Library


@dataclass(frozen=True)
class Subject:
    """A stream and its account; None for each that the UDI does not hold, or that the stream does not have."""

    stream_id: int
    stream: Stream | None = None
    account: Account | None = None

    @classmethod
    def load(cls, library: Library, stream_id: int) -> Self:
        """Read the stream and its account.

        :raises UdiUnavailable: while they cannot be read.
        """
        stream = library.stream(stream_id)
        account_id = stream.account_id if stream else None
        return cls(stream_id, stream, library.account(account_id) if account_id is not None else None)

    @property
    def account_id(self) -> int | None:
        """Return the account's id; None for a stream without an account."""
        return self.stream.account_id if self.stream else None

    @property
    def login(self) -> str:
        """Return the login of the account; empty for a stream without an account."""
        return self.account.budget if self.account else ""

    @property
    def label(self) -> str:
        """Return the names of the stream and its account, as people see them."""
        name = self.stream.name if self.stream else f"stream {self.stream_id}"
        return f"{name} · {self.account.name}" if self.account else name

    def settings(self, settings: Config, sample_seconds: float | None) -> Config:
        """Return the settings for this stream: those of its account, and the run's own length of the sample.

        :param sample_seconds: the length of each sample, in whole; None for the configured length.
        """
        probe = settings.probe.for_account(self.account_id, self.account.name if self.account else None)
        if sample_seconds is not None:
            probe = probe.model_copy(update={"sample_seconds": sample_seconds, "min_sample_seconds": None})
        return settings.model_copy(update={"probe": probe})

    def undecided(self, verdict: Verdict, reason: str, detail: str) -> Result:
        """Return the result of a check that opened no connection."""
        return Result(
            stream_id=self.stream_id,
            account_id=self.account_id,
            url_hash=self.stream.url_hash if self.stream else "",
            checked_at=datetime.now(UTC),
            verdict=verdict,
            reason=reason,
            detail=detail,
        )

    def refused(self, reason: str) -> Result:
        """Return the result of a check that the limiter gave no slot, by the limiter's reason."""
        if reason == "inactive":
            return self.undecided("skipped", "account_inactive", "its account is inactive")
        return self.undecided("unknown", "limiter_unavailable", f"no slot: {reason}")

    def crowded_out(self) -> Result:
        """Return the result of a check without a limiter whose account has no connection to spare."""
        return self.undecided("unknown", "slot_timeout", "viewers use all connections of its account")

    def not_probeable(self) -> Result | None:
        """Return the result of a stream that is a web page, which is never opened; None for any other stream."""
        if self.stream is None or not self.stream.is_page:
            return None
        return self.undecided("skipped", "not_probeable", "a web page, for a tool such as Streamlink or yt-dlp")

    def vanished(self) -> Result:
        """Return the result of a check whose stream left the library."""
        return self.undecided("unknown", "source_unavailable", "the UDI holds it no more")

    def stopped(self) -> Result:
        """Return the result of a check whose run was stopped by a user."""
        return self.undecided("unknown", "cancelled", "the run was stopped")

    def lost(self) -> Result:
        """Return the result of a check that ended without one."""
        return self.undecided("unknown", "internal_error", "its check ended without a verdict; see the task's log")
