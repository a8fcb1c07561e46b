"""Copies into the file store of this machine what other machines wrote to Redis.

So each machine can continue while Redis is away, and each can fill a Redis that has lost its data. The copy is a few
seconds old. When another machine has filled Redis from its own copy, this machine adds the writes that were missing
there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from streamflow.records import ChannelChange, RunState
from streamflow.udi import bounds
from streamflow.udi.journal import copy_run
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.sqlite.store import FileStore

log = logging.getLogger(__name__)

# The newest runs are copied until they are closed.
RUNS = 10
# A stream's latest results are copied, or its whole history where this machine knows no result.
RESULTS = 3
# A few writes raise no event of their own, so after this time everything is compared.
WHOLE_SECONDS = 600.0


class Replication:
    """The copying of one process, which remembers the state of Redis that it has copied last."""

    def __init__(self, redis: RedisStore, file: FileStore) -> None:
        self._redis = redis
        self._file = file
        self._copied: object = None
        self._compare_at = 0.0

    def copy(self) -> int:
        """Copy what is new in Redis; return the number of copied records.

        The caller has merged the journal, and excludes the refreshes and merges of this home.

        :raises UdiUnavailable: if a store cannot be used.
        """
        state = self._redis.state()
        if state == self._copied and time.monotonic() < self._compare_at:
            return 0
        filled = self._redis.filling()
        if filled != self._file.filling():
            if self._file.filling():
                log.warning("another machine has filled Redis: adding the writes that it did not have")
                _add_missing(self._redis, self._file)
            self._file.remember_filling(filled)
        copied = self._library() + self._results() + self._memories() + self._runs()
        self._copied, self._compare_at = state, time.monotonic() + WHOLE_SECONDS
        return copied

    def _library(self) -> int:
        """Copy a newer library, or the orders of channels that changed since."""
        refreshed_at = self._redis.library.refreshed_at()
        if refreshed_at is None:
            return 0
        if refreshed_at != self._file.library.refreshed_at():
            texts = self._redis.library.texts()
            # After a refresh meanwhile the texts may be of both libraries; the next copy brings the new one.
            if refreshed_at != self._redis.library.refreshed_at():
                return 0
            return self._write(lambda: self._file.publishing.publish(texts, at=refreshed_at).records)
        orders = {channel.id: channel.stream_ids for channel in self._file.library.channels()}
        changed = [each for each in self._redis.library.channels() if orders.get(each.id) != each.stream_ids]

        def reorder() -> int:
            for channel in changed:
                self._file.library.reorder(channel.id, channel.stream_ids)
            return len(changed)

        return self._write(reorder) if changed else 0

    def _results(self) -> int:
        theirs, mine = self._redis.results.checks(), self._file.results.checks()
        # Of two versions of one check, the one in Redis is the later one, because the journal is merged.
        newer = [
            stream for stream, check in theirs.items() if mine.get(stream) != check and _time(mine, stream) <= check[0]
        ]
        for stream in newer:
            limit = RESULTS if stream in mine else bounds.HISTORY
            self._file.results.add(reversed(self._redis.results.history(stream, limit)))
        return len(newer)

    def _memories(self) -> int:
        mine = self._file.results.memories()
        changed = {
            stream: memory for stream, memory in self._redis.results.memories().items() if mine.get(stream) != memory
        }

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
