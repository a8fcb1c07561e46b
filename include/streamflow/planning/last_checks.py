"""The last check of each stream: when it was, what it found, and whether it is fresh."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from streamflow.config import Freshness
from streamflow.records import DECIDED, WORKING, Playback, Verdict
from streamflow.records.playback import ENOUGH
from streamflow.udi.ports import Store


@dataclass(frozen=True)
class LastChecks:
    """The last checks of some streams.

    :param times: the time of the last check of each stream that was checked.
    :param verdicts: the verdict of each last check that decided something.
    :param failures: for dead streams, the number of checks in a row that found them dead.
    :param changed: streams that have another URL since, and dead ones that a refresh has brought back, or that were
        played, since.
    :param watched: the last playback of each working stream that replaces a check: it was played for long enough since.
    """

    times: Mapping[int, datetime]
    verdicts: Mapping[int, Verdict]
    failures: Mapping[int, int]
    changed: Collection[int]
    watched: Mapping[int, Playback]

    @classmethod
    def load(cls, store: Store, stream_ids: Collection[int]) -> Self:
        """Read the last checks of these streams."""
        wanted = set(stream_ids)
        times = {stream: at for stream, at in store.results.last_checks().items() if stream in wanted}
        verdicts = {stream: verdict for verdict in DECIDED for stream in store.results.streams_of_verdict(verdict)}
        verdicts = {stream: verdict for stream, verdict in verdicts.items() if stream in times}
        dead = [stream for stream, verdict in verdicts.items() if verdict == "dead"]
        memories = store.results.dead_memory(dead)
        failures = {stream: memory.failures for stream, memory in memories.items()}
        returned = {stream for stream, memory in memories.items() if memory.has_returned_since(times[stream])}
        watched = _watched(store, times)
        changed = store.results.changed_urls(times) | returned | watched.keys() & set(dead)
        working = {stream: one for stream, one in watched.items() if verdicts.get(stream) in WORKING}
        return cls(times, verdicts, failures, changed, working)

    def is_fresh(self, stream_id: int, freshness: Freshness, now: datetime) -> bool:
        """Return whether the last check decided about this URL, and it or a playback was not too long ago."""
        verdict = self.verdicts.get(stream_id)
        if verdict is None or stream_id in self.changed:
            return False
        pause = freshness.pause(verdict, self.failures.get(stream_id, 1))
        return now - self.times[stream_id] <= pause or self.is_watched(stream_id, freshness, now)

    def is_watched(self, stream_id: int, freshness: Freshness, now: datetime) -> bool:
        """Return whether the stream was played for long enough since its last check, and not too long ago."""
        playback = self.watched.get(stream_id)
        if playback is None or stream_id in self.changed:
            return False
        return now - playback.ended_at <= freshness.pause(self.verdicts[stream_id])

    def was_alive(self, store: Store, stream_id: int) -> bool:
        """Return whether the stream worked at its last check that decided something."""
        if stream_id not in self.times:
            return False
        verdict = self.verdicts.get(stream_id)
        if verdict is None:
            past = store.results.history(stream_id)
            verdict = next((result.verdict for result in past if result.verdict in DECIDED), None)
        return verdict in WORKING

    def urgency(self, stream_ids: Collection[int], now: datetime, *, by_age: bool = False) -> tuple[int, datetime]:
        """Return a key that sorts streams to check together, the most urgent first.

        New and changed streams come first, then dead ones, then those whose last check is the oldest.

        :param by_age: dead streams have no priority.
        """
        if any(stream not in self.times or stream in self.changed for stream in stream_ids):
            return 0, now
        has_dead = not by_age and any(self.verdicts.get(stream) == "dead" for stream in stream_ids)
        return (1 if has_dead else 2), min((self.times[stream] for stream in stream_ids), default=now)


def _watched(store: Store, times: Mapping[int, datetime]) -> dict[int, Playback]:
    """Return the last playback of each stream that was played for long enough since its last check.

    It must be of the stream's present URL, without a break, and without other figures than the check's.
    """
    found = {}
    for stream, past in store.results.playbacks(times).items():
        since = [one for one in past if one.ended_at > times[stream]]
        enough = next((one for one in since if one.since(times[stream]) >= ENOUGH), None)
        if enough and not any(one.breaks for one in since):
            found[stream] = enough
    streams, results = store.library.streams(found), store.results.latest_of(found)
    return {
        stream: playback
        for stream, playback in found.items()
        if stream in streams and streams[stream].url_hash == playback.url_hash and playback.agrees(results[stream])
    }
