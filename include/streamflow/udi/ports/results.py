"""Results of checks, and the memory of failures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from streamflow.records import DeadMemory, Playback, Result, Verdict


class Results(Protocol):
    """The latest result, the history and the failures of each stream.

    :meth:`~streamflow.udi.ports.Runs.settle` adds results. Lists of ids are sorted in ascending order.
    """

    def add(self, results: Iterable[Result]) -> None:
        """Store results of other machines or of a backup, without a run.

        A result becomes its stream's latest unless a newer one is there. A repeated call changes nothing.
        """

    def latest(self, stream_id: int) -> Result | None:
        """Return the result of a stream's last check, or None for a stream that was never checked."""

    def latest_of(self, stream_ids: Iterable[int]) -> dict[int, Result]:
        """Return the results of the last checks by stream, without the streams that were never checked."""

    def history(self, stream_id: int, limit: int = 50) -> list[Result]:
        """Return the past results of a stream, newest first.

        The store keeps the last 50 of each stream.
        """

    def histories(self, stream_ids: Iterable[int], limit: int = 50) -> dict[int, list[Result]]:
        """Return :meth:`history` by stream, without the streams that were never checked."""

    def streams_of_verdict(self, verdict: Verdict) -> list[int]:
        """Return the ids of the streams whose latest result has a verdict."""

    def checked_since(self, since: datetime) -> list[int]:
        """Return the ids of the streams whose latest result is not older than ``since``."""

    def last_checks(self, since: datetime | None = None) -> dict[int, datetime]:
        """Return the time of every stream's latest result, by stream.

        :param since: leave out older results.
        """

    def changed_urls(self, stream_ids: Iterable[int]) -> set[int]:
        """Return those of the streams whose URL in the library differs from the URL of their latest result.

        Streams that were never checked are left out.
        """

    def dead_memory(self, stream_ids: Iterable[int]) -> dict[int, DeadMemory]:
        """Return the memory of failures by stream, without the streams that have none."""

    def remember_dead(self, memories: Mapping[int, DeadMemory]) -> None:
        """Replace the memory of failures of streams, in one step."""

    def decided(self) -> dict[int, DeadMemory]:
        """Return the memory of the streams with a decision about a channel that they may belong to."""

    def add_playbacks(self, playbacks: Iterable[Playback]) -> None:
        """Store playbacks. One with the stream and the start of a stored one replaces it.

        The store keeps the last 20 of each stream, as far as they began within 30 days before the newest one. Machines
        do not copy them from each other: without them a stream is merely checked.
        """

    def playbacks(self, stream_ids: Iterable[int]) -> dict[int, list[Playback]]:
        """Return the last playbacks by stream, newest first, without the streams that were not played."""

    def removed_streams(self, channel_id: int) -> dict[int, int]:
        """Return the streams that the policy removed from a channel, with the position that each had."""

    def removed_of_channels(self, channel_ids: Iterable[int]) -> dict[int, dict[int, int]]:
        """Return :meth:`removed_streams` by channel, without the channels from which no stream was removed."""
