"""Copies into the file store of this machine what other machines wrote to Redis.

So each machine can continue while Redis is away, and each can fill a Redis that has lost its data. The copy is a few
seconds old. When another machine has filled Redis from its own copy, this machine adds the writes that were missing
there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from streamflow.records import Channel, ChannelChange, DeadMemory, RunState
from streamflow.udi import bounds
from streamflow.udi.journal import copy_run
from streamflow.udi.redis.connection import RedisEmpty, chunks
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.sqlite.store import FileStore

log = logging.getLogger(__name__)

# The newest runs are copied until they are closed.
RUNS = 10
# A stream's latest results are copied, or its whole history where this machine knows no result.
RESULTS = 3
# Streams whose results are copied in one step.
CHUNK = 500
# A few writes raise no event of their own, so after this time everything is compared.
WHOLE_SECONDS = 600.0


class Replication:
    """The copying of one process, which remembers the state of Redis that it has copied last."""

    def __init__(self, redis: RedisStore, file: FileStore) -> None:
        self._redis = redis
        self._file = file
        self._copied: tuple[bytes | None, bytes | None, bytes] = (None, None, b"0-0")
        self._compare_at = float("-inf")

    def copy(self) -> int:
        """Copy what is new in Redis; return the number of copied records.

        The events since the last copy name what is new. A process' first copy, one after a refresh or after more events
        than Redis keeps, and one after some minutes compare everything.

        The caller has merged the journal, and excludes the refreshes and merges of this home.

        :raises UdiUnavailable: if a store cannot be used.
        """
        state, is_due = self._redis.state(), time.monotonic() > self._compare_at
        if state == self._copied and not is_due:
            return 0
        filling = (state[1] or b"").decode()
        if not filling:
            # It was lost a moment ago. When another machine has filled it, the next copy adds what that one lacks.
            raise RedisEmpty("Redis has lost its data")
        if filling != self._file.filling():
            if self._file.filling():
                log.warning("another machine has filled Redis: adding the writes that it did not have")
                _add_missing(self._redis, self._file)
            self._file.remember_filling(filling)
        is_same = not is_due and state[:2] == self._copied[:2]
        events = self._redis.events(self._copied[2], state[2]) if is_same else None
        if events is None:
            copied = (
                self._library() + self._results(self._newer_results()) + self._memories(self._file.results.memories())
            )
            self._compare_at = time.monotonic() + WHOLE_SECONDS
        else:
            copied = self._named(events)
        self._copied = state
        return copied + self._runs()

    def _named(self, events: list[tuple[str, dict[str, Any]]]) -> int:
        """Copy the results, orders and memories that events name."""
        streams = list(dict.fromkeys(int(record["stream_id"]) for kind, record in events if kind == "result"))
        channels = {int(record["channel_id"]) for kind, record in events if kind == "channel"}
        copied = self._results(streams)
        if channels:
            former = self._file.library.channels(channels)
            present = self._redis.library.channels(channels)
            members = {stream for channel in (*former, *present) for stream in channel.stream_ids}
            copied += self._orders(former, present) + self._memories(self._file.results.dead_memory(members), members)
        return copied

    def _library(self) -> int:
        """Copy a newer library, or the orders of channels that changed since."""
        refreshed_at = self._redis.library.refreshed_at()
        if refreshed_at is None:
            return 0
        if refreshed_at == self._file.library.refreshed_at():
            return self._orders(self._file.library.channels(), self._redis.library.channels())
        texts = self._redis.library.texts()
        # After a refresh meanwhile the texts may be of both libraries; the next copy brings the new one.
        if refreshed_at != self._redis.library.refreshed_at():
            return 0
        return self._write(lambda: self._file.publishing.publish(texts, at=refreshed_at).records)

    def _orders(self, former: Iterable[Channel], present: Iterable[Channel]) -> int:
        orders = {channel.id: channel.stream_ids for channel in former}
        changed = [channel for channel in present if orders.get(channel.id) != channel.stream_ids]

        def reorder() -> int:
            for channel in changed:
                self._file.library.reorder(channel.id, channel.stream_ids)
            return len(changed)

        return self._write(reorder) if changed else 0

    def _newer_results(self) -> list[int]:
        """Return the streams whose latest result is not the one in Redis.

        Of two versions of one check, the one in Redis is the later one, because the journal is merged.
        """
        theirs, mine = self._redis.results.checks(), self._file.results.checks()
        return [
            stream for stream, check in theirs.items() if mine.get(stream) != check and _time(mine, stream) <= check[0]
        ]

    def _results(self, streams: list[int]) -> int:
        for chunk in chunks(streams, CHUNK):
            known = self._file.results.latest_of(chunk)
            for limit, some in (
                (RESULTS, [stream for stream in chunk if stream in known]),
                (bounds.HISTORY, [stream for stream in chunk if stream not in known]),
            ):
                pasts = self._redis.results.histories(some, limit)
                self._file.results.add(result for past in pasts.values() for result in reversed(past))
        return len(streams)

    def _memories(self, mine: Mapping[int, DeadMemory], streams: Iterable[int] | None = None) -> int:
        """Copy the memories that differ, of some streams or of all."""
        results = self._redis.results
        theirs = results.memories() if streams is None else results.dead_memory(streams)
        changed = {stream: memory for stream, memory in theirs.items() if mine.get(stream) != memory}

        def remember() -> int:
            self._file.results.remember_dead(changed)
            return len(changed)

        return self._write(remember) if changed else 0

    def _runs(self) -> int:
        copied = 0
        for run_id in reversed(self._redis.runs.newest(RUNS)):
            mine = self._file.runs.state(run_id)
            theirs = None if mine and mine.finished_at else self._redis.runs.state(run_id)
            if theirs and theirs != mine:
                self._file.runs.take_over(theirs, self._redis.runs.settled(run_id))
                copied += 1
        return copied

    def _write(self, write: Callable[[], int]) -> int:
        """Write a state into the file store, unless that holds one of this machine that Redis may lack."""
        with self._file.writing():
            return 0 if self._file.has_unmerged_state() else write()


def _time(checks: dict[int, tuple[float, str]], stream: int) -> float:
    return checks[stream][0] if stream in checks else float("-inf")


def _add_missing(redis: RedisStore, file: FileStore) -> None:
    """Add the writes of this machine to a Redis that another machine has filled."""
    mine, theirs = file.library.refreshed_at(), redis.library.refreshed_at()
    if mine and (theirs is None or theirs < mine):
        redis.publishing.publish(file.publishing.texts(), at=mine)
    checks, known = file.results.checks(), redis.results.checks()
    missing = [stream for stream, check in checks.items() if _time(known, stream) < check[0]]
    pasts = (result for stream in missing for result in reversed(file.results.history(stream)))
    redis.results.refill(pasts, file.results.dead_memory(missing).items())
    redis.results.add_playbacks(file.results.all_playbacks())
    for run_id in reversed(file.runs.newest(bounds.RUNS)):
        state = file.runs.state(run_id)
        if state:
            _add_run(redis, file, state)
    logged: dict[int, set[ChannelChange]] = {}
    for change in file.runs.all_changes():
        if change.channel_id not in logged:
            logged[change.channel_id] = set(redis.runs.changes(change.channel_id))
        if change not in logged[change.channel_id]:
            redis.runs.finish_channel(change)


def _add_run(redis: RedisStore, file: FileStore, mine: RunState) -> None:
    """Add a run, or those results and finished channels of it that Redis does not have."""
    run_id = mine.run.run_id
    theirs = redis.runs.state(run_id)
    if theirs is None:
        copy_run(redis, file, run_id)
        return
    if theirs.finished_at:
        return
    settled = [stream for stream, verdict in theirs.streams.items() if verdict == "pending"]
    for stream, result in file.results.latest_of(settled).items():
        if result.run_id == run_id and mine.streams.get(stream) != "pending":
            redis.runs.settle(run_id, result)
    for channel_id, change in mine.finished_channels.items():
        if channel_id not in theirs.finished_channels:
            channel = redis.library.channel(channel_id)
            if change.written and channel and channel.stream_ids == change.before:
                redis.library.reorder(channel_id, change.after)
            redis.runs.finish_channel(change)
    if mine.finished_at:
        redis.runs.close(run_id, mine.summary or {}, mine.finished_at)
