"""The results of a run's checks: in the UDI, and in the channels that they complete."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from streamflow import pictures
from streamflow.checking.finishing import OpenDestination, finish_ready
from streamflow.checking.outages import Outages
from streamflow.config import Config, Freshness
from streamflow.probing.target import KnownFigures
from streamflow.records import Result, Stream
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunResults:
    """The results of a run's checks.

    :param login: the login of the checked stream; empty for a stream without an account.
    :param home: the folder of all state, for the streams' pictures.
    :param open_destination: opens the place that orders are written to.
    :param count: counts each result in the metrics.
    :param force: fresh streams are checked again.
    """

    run_id: str
    login: str
    outages: Outages
    store: Store
    settings: Config
    home: Path
    open_destination: OpenDestination
    count: Callable[[Result], None]
    force: bool = False
    _bars: dict[int, str] = field(default_factory=dict)
    _latest: dict[int, Result] = field(default_factory=dict)

    def outage(self, stream_id: int, attempts: int) -> str:
        """Return why the provider is down; empty also for the one try a minute that is probed all the same.

        :param attempts: the number of the check's tries before this one.
        """
        # A check asks before and after it has waited for its slot.
        if attempts not in self._bars:
            self._bars[attempts] = self.outages.bar(self.login, stream_id, attempts)
        return self._bars[attempts]

    def suspect(self, result: Result) -> None:
        """Take the failure of a try as evidence about the provider, and finish the channels that this decides."""
        self._finish(self.outages.suspect(self.login, result.model_copy(update={"run_id": self.run_id})))

    def keep(self, result: Result, thumbnail: bytes | None = None) -> None:
        """Keep the result of a check, and finish the channels that waited for no other stream."""
        log.info("stream %d: %s%s", result.stream_id, result.verdict, f", {result.reason}" if result.reason else "")
        if thumbnail:
            pictures.keep(self.home, result.stream_id, thumbnail)
        channels = self.outages.settle(self.login, result.model_copy(update={"run_id": self.run_id}))
        self.count(result)
        self._finish(channels)

    def _finish(self, channels: list[int]) -> None:
        if channels:
            finish_ready(self.store, self.open_destination, channels, self.run_id, self.settings)

    def kept(self, stream_id: int) -> Result | None:
        """Return the result of a stream that an earlier try of its check kept in this run."""
        latest = self.store.results.latest(stream_id)
        return latest if latest and latest.run_id == self.run_id else None

    def last_good(self, stream: Stream) -> KnownFigures | None:
        """Return the figures of a stream at its last check, by the result that :meth:`recent` has read.

        None where that check was not good or had another URL, and in a run that checks fresh streams again.
        """
        latest = self._latest.get(stream.id)
        return KnownFigures.of(latest) if latest and latest.url_hash == stream.url_hash else None

    def is_long_dead(self, stream: Stream) -> bool:
        """Return whether as many checks in a row as the policy asks for found the stream dead under the same URL."""
        latest = self._latest.get(stream.id) or self.store.results.latest(stream.id)
        if latest is None or latest.verdict != "dead" or latest.url_hash != stream.url_hash:
            return False
        memory = self.store.results.dead_memory([stream.id]).get(stream.id)
        if memory is None or memory.has_returned_since(latest.checked_at):
            return False
        return memory.failures >= self.settings.dead_streams.after_failures

    def recent(self, stream: Stream) -> Result | None:
        """Return a result that another run has found since this run was planned, and that is still fresh."""
        latest = None if self.force else self.store.results.latest(stream.id)
        if latest is None or latest.run_id == self.run_id:
            return None
        self._latest[stream.id] = latest
        if not is_recent(latest, stream, self.settings.freshness_hours, datetime.now(UTC)):
            return None
        memory = self.store.results.dead_memory([stream.id]).get(stream.id) if latest.verdict == "dead" else None
        return None if memory and memory.has_returned_since(latest.checked_at) else latest


def is_recent(result: Result, stream: Stream, freshness: Freshness, now: datetime) -> bool:
    """Return whether a result decided about the stream's present URL, within the pause after its verdict."""
    pause = freshness.pause(result.verdict)
    return bool(pause) and result.url_hash == stream.url_hash and now - result.checked_at <= pause
