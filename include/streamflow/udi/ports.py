"""What every UDI store answers: the interface of the Redis store, the file store and the pair of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel, Field

from streamflow.records import (
    Account,
    Channel,
    ChannelChange,
    DeadMemory,
    Group,
    Result,
    Run,
    RunState,
    Stream,
    Verdict,
)
from streamflow.udi.library import Snapshot


class RefreshReport(BaseModel):
    """How many records of each kind a refresh added, changed and removed."""

    added: dict[str, int]
    changed: dict[str, int]
    removed: dict[str, int]
    broken: list[tuple[str, str]] = Field(default_factory=list)
    elapsed_s: float = 0.0


class Store(Protocol):
    """Look-ups are by index, never by a scan. All raise UdiUnavailable when the store is away."""

    def ping(self) -> None:
        """Return when the store answers."""

    # -- the library -------------------------------------------------------------------------
    def publish(self, snapshot: Snapshot, *, max_drop: float = 0.5, force: bool = False) -> RefreshReport:
        """Make the snapshot visible in whole, writing only what changed.

        Refuses with SourceError when more than the share ``max_drop`` of the streams (from 100 on)
        would vanish, unless forced. A stream that comes back under another id, known by its account and provider id
        or URL, keeps its results, also after an absence, as long as those are kept.
        """

    def refreshed_at(self) -> datetime | None: ...
    def accounts(self) -> list[Account]: ...
    def account(self, account_id: int) -> Account | None: ...
    def groups(self) -> list[Group]: ...
    def stream(self, stream_id: int) -> Stream | None: ...
    def streams(self, stream_ids: Iterable[int]) -> dict[int, Stream]: ...
    def stream_ids(self) -> list[int]: ...
    def streams_of_account(self, account_id: int) -> list[int]: ...
    def streams_of_group(self, group_id: int) -> list[int]: ...
    def streams_of_url(self, url_hash: str) -> list[int]: ...
    def channel(self, channel_id: int) -> Channel | None: ...
    def channels(self, channel_ids: Iterable[int] | None = None) -> list[Channel]: ...
    def channels_of_group(self, group_id: int) -> list[int]: ...
    def channels_of_stream(self, stream_id: int) -> list[int]: ...
    def reorder(self, channel_id: int, stream_ids: Sequence[int]) -> None:
        """Take over an order that was written back, without waiting for the next refresh."""

    # -- results -----------------------------------------------------------------------------
    def record(self, result: Result) -> None:
        """Keep a result as the stream's latest and in its history; the same one again changes nothing."""

    def result(self, stream_id: int) -> Result | None: ...
    def results(self, stream_ids: Iterable[int]) -> dict[int, Result]: ...
    def history(self, stream_id: int, limit: int = 50) -> list[Result]:
        """Past results, newest first."""

    def streams_of_verdict(self, verdict: Verdict) -> list[int]: ...
    def checked_since(self, since: datetime) -> list[int]:
        """Streams whose latest result is not older than ``since``."""

    def last_checks(self) -> dict[int, datetime]:
        """The time of every stream's latest result."""

    def changed_urls(self, stream_ids: Iterable[int]) -> set[int]:
        """Those of the streams that have another URL than when they were last checked."""

    def dead_memory(self, stream_ids: Iterable[int]) -> dict[int, DeadMemory]: ...
    def remember_dead(self, stream_id: int, memory: DeadMemory) -> None: ...
    def removed_streams(self, channel_id: int) -> dict[int, int]:
        """Streams that the policy took from a channel, with the position each had."""

    def removed_of_channels(self, channel_ids: Iterable[int]) -> dict[int, dict[int, int]]:
        """As :meth:`removed_streams` for many channels; those that nothing was taken from are left out."""

    # -- runs --------------------------------------------------------------------------------
    def open_run(self, run: Run) -> None:
        """Keep a planned run; opening the same run again (a retried plan) starts it anew."""

    def settle(self, run_id: str, result: Result) -> list[int]:
        """Record a result and mark its stream done in the run; an unknown run or stream is left as it is.

        Each twin of the stream gets the result as its own. Returns the run's channels of these streams that wait for no
        stream any more and are not finished. Repeating it does no harm and answers them again, until they are finished:
        whoever was to do that may have died.
        """

    def unfinished_channels(self, run_id: str) -> list[int]: ...
    def unsettled_streams(self, run_id: str) -> list[int]:
        """The run's ``stream_ids`` that have no result in it yet."""

    def finish_channel(self, change: ChannelChange) -> None:
        """Keep a channel's change in its log if it is news, and mark it finished in its run if that run has it."""

    def close_run(self, run_id: str, summary: dict[str, Any], at: datetime) -> None: ...
    def run(self, run_id: str) -> RunState | None: ...
    def runs(self, limit: int = 20) -> list[str]:
        """Run ids, newest first."""

    def last_change(self, channel_id: int) -> ChannelChange | None:
        """The newest of the channel's log."""

    def changes(self, channel_id: int, limit: int = 50) -> list[ChannelChange]:
        """The channel's log, newest first; it keeps the last 50."""

    def prune(self, *, history_per_stream: int = 50, runs: int = 200) -> dict[str, int]:
        """Drop what is over the bounds, runs of more than 30 days ago, and what belongs to streams that are not in the
        library and were not checked for 30 days; returns how many ``history`` results, ``runs`` and ``streams``.
        """

    # -- live progress -----------------------------------------------------------------------
    def progress(self, stream_id: int, state: dict[str, Any] | None) -> None:
        """Publish a running probe's state (None: it ended); kept for 30 s, and sent as an event."""

    def running(self) -> dict[int, dict[str, Any]]:
        """The states of the probes now running, by stream."""
