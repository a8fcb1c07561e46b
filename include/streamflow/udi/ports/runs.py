"""Runs: their plans, their progress and the changes that they made to channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from streamflow.records import AccountShare, ChannelChange, Result, Run, RunState


class Runs(Protocol):
    """The planned runs of the last 30 days, and the log of each channel's changes.

    Every write can be repeated without harm. An unknown run has no streams and no channels.
    """

    def open(self, run: Run) -> None:
        """Store a planned run, with no stream settled and no channel finished.

        A run of the same id (of an earlier try of the plan) is replaced.
        """

    def settle(self, run_id: str, result: Result) -> list[int]:
        """Store a result as the stream's latest and in its history, and mark the stream as settled in the run.

        Every twin of the stream in this run gets the result too. A result older than the latest goes into the
        history only. In a run that is unknown, or does not contain the stream, the result is stored all the same.

        :returns: the ids of the run's channels that contain the stream, wait for no other stream and are not
            finished, sorted. A repeated call returns them again until they are finished, so that another process can
            finish them.
        """

    def unfinished_channels(self, run_id: str) -> list[int]:
        """Return the ids of the run's channels that are not finished, sorted."""

    def unsettled_streams(self, run_id: str) -> list[int]:
        """Return the ids of the run's streams that have no result in it yet, sorted."""

    def skip(self, run_id: str, reason: str) -> None:
        """Settle the streams of a run that have no result yet as skipped. Their last results stay as they are."""

    def share_of(self, run_id: str, account_ids: Iterable[int]) -> AccountShare | None:
        """Return the streams of some accounts in a run, or None if the run has none of them."""

    def finish_channel(self, change: ChannelChange) -> None:
        """Mark a channel as finished in the change's run, if that run contains it.

        A change that is news goes into the channel's log too.
        """

    def close(self, run_id: str, summary: Mapping[str, Any], at: datetime) -> None:
        """Store the end and the summary of a run; an unknown run is ignored."""

    def state(self, run_id: str) -> RunState | None:
        """Return the progress of a run."""

    def newest(self, limit: int = 20) -> list[str]:
        """Return run ids, newest first."""

    def changes(self, channel_id: int, limit: int = 50) -> list[ChannelChange]:
        """Return the log of a channel's changes, newest first.

        The store keeps the last 50 of each channel.
        """
