"""The UDI as its users see it: the Redis store, with the file store behind it for when Redis is away.

Every write goes into the file store first, in one transaction with an entry of its journal, and then into Redis; the
entry goes when Redis has the write. So the file store is current at any moment, and the journal holds just what Redis
lacks, or may lack: its answer was lost, or its writer died. Reads are answered by Redis.

While Redis is away a mark beside the file tells all processes, and the file store answers alone. One caller in a few
seconds looks whether Redis is back, brings it up to date and takes the mark away, before anybody reads from Redis
again. Repeating any of this does no harm: what is brought over is facts that are kept once, and states as they are.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from streamflow.errors import UdiUnavailable
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
from streamflow.udi.library import Library, Snapshot
from streamflow.udi.ports import RefreshReport, Store
from streamflow.udi.publication import guard
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.replay import fill, replay
from streamflow.udi.sqlite.store import FileStore

log = logging.getLogger(__name__)

T = TypeVar("T")

# While Redis is away, one call in this many seconds finds out whether it is back; no other waits for a time-out.
LOOK_AGAIN_SECONDS = 5.0
# How long that call lets Redis take to answer.
LOOK_SECONDS = 1.0


class _Empty(UdiUnavailable):
    """Redis answers, and has nothing of what was in it."""


class Udi:
    """Implements :class:`~streamflow.udi.ports.Store`; raises UdiUnavailable when neither store answers."""

    def __init__(self, redis: RedisStore | None, file: FileStore) -> None:
        self._redis = redis
        self._file = file
        self._away_mark = file.file.with_name("redis.away")
        self._is_proven = False

    @property
    def redis_up(self) -> bool:
        """Whether Redis answers; asked anew, but at most once in a few seconds while it is away."""
        redis = self._usable()
        if redis is None:
            return False
        try:
            self._ask(redis, lambda store: store.ping())
        except UdiUnavailable as error:
            self._leave(error)
            return False
        return True

    def _usable(self) -> RedisStore | None:
        """The Redis store, unless it is known to be away or out of date."""
        if self._redis is None:
            return None
        try:
            looked = self._away_mark.stat().st_mtime
        except FileNotFoundError:
            return self._redis
        if time.time() - looked < LOOK_AGAIN_SECONDS:
            return None
        with self._alone(wait=False) as alone:
            return self._redis if alone and self._is_back(self._redis) else None

    def _is_back(self, redis: RedisStore) -> bool:
        # Others shall not look meanwhile.
        self._away_mark.touch()
        try:
            redis.knock(LOOK_SECONDS)
            self._catch_up(redis)
        except UdiUnavailable as error:
            log.info("Redis is still away: %s", error)
            self._away_mark.touch()
            return False
        return True

    def _leave(self, error: UdiUnavailable) -> None:
        if not self._away_mark.exists():
            is_new = isinstance(error, _Empty) and self._file.refreshed_at() is None
            log.log(logging.INFO if is_new else logging.WARNING, "the UDI answers from its file store: %s", error)
        self._away_mark.parent.mkdir(parents=True, exist_ok=True)
        self._away_mark.touch()
        if isinstance(error, _Empty):
            # It does answer: the next call may fill it at once.
            os.utime(self._away_mark, (0, 0))

    def _ask(self, redis: RedisStore, do: Callable[[Store], T]) -> T:
        """The answer of a Redis that has its data; raises UdiUnavailable for one that came back without."""
        if not self._is_proven:
            self._prove(redis)
        answer = do(redis)
        # A Redis without data answers nothing, so what it does answer needs no further proof.
        if not answer:
            self._prove(redis)
        return answer

    def _prove(self, redis: RedisStore) -> None:
        # One that a former version filled may answer too, in a way that cannot be read.
        self._is_proven = redis.is_filled()
        if not self._is_proven:
            raise _Empty("Redis came without its data")

    def _from_redis(self, do: Callable[[Store], T]) -> tuple[T] | None:
        """The answer of Redis in a tuple, or None when it is away."""
        redis = self._usable()
        if redis is None:
            return None
        try:
            return (self._ask(redis, do),)
        except UdiUnavailable as error:
            self._leave(error)
            return None

    def _read(self, ask: Callable[[Store], T]) -> T:
        answer = self._from_redis(ask)
        return answer[0] if answer else ask(self._file)

    def _write(self, kind: str, record: dict[str, Any], do: Callable[[Store], T]) -> T:
        """Write to the file store and to Redis; the answer is that of Redis if it is up."""
        try:
            with self._file.writing():
                answer = do(self._file)
                number = self._file.note(kind, record)
        except UdiUnavailable as error:
            log.error("the UDI's file store is out of date: %s", error)
            only = self._from_redis(do)
            if only is None:
                raise
            return only[0]
        # Only now may the mark be looked at: whoever takes it away has seen our entry before, or we see no mark.
        reached = self._from_redis(do)
        if reached is None:
            return answer
        self._file.forget([number])
        return reached[0]

    def merge(self) -> int:
        """Bring into Redis what only the file store has; answers how many entries. Repeating it does no harm."""
        if self._redis is None:
            return 0
        with self._alone(wait=True):
            try:
                self._redis.knock(LOOK_SECONDS)
                return self._catch_up(self._redis)
            except UdiUnavailable as error:
                self._leave(error)
                return 0

    def _catch_up(self, redis: RedisStore) -> int:
        """Merge everything, and take the mark away; for one process at a time."""
        if not redis.is_filled():
            # Until it is full, nobody may read it, and what is written meanwhile is merged.
            self._leave(_Empty("Redis came without its data and is being filled"))
            fill(redis, self._file)
        merged = 0
        while True:
            while entries := self._file.journal():
                for _, kind, record in entries:
                    replay(redis, self._file, kind, record)
                self._file.forget(number for number, _, _ in entries)
                merged += len(entries)
            # No write can come between the last look into the journal and the mark's end.
            with self._file.writing():
                if not self._file.journal(1):
                    if self._away_mark.exists():
                        self._away_mark.unlink(missing_ok=True)
                        log.info("the UDI answers from Redis again; merged %d writes", merged)
                    return merged

    @contextmanager
    def _alone(self, *, wait: bool) -> Iterator[bool]:
        """Whether this caller may publish and merge, alone until the end; without ``wait`` perhaps not."""
        folder = self._file.file.parent
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "udi.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(lock)

    def ping(self) -> None:
        self._read(lambda store: store.ping())

    # -- the library -------------------------------------------------------------------------
    def publish(
        self,
        snapshot: Snapshot,
        *,
        max_drop: float = 0.5,
        force: bool = False,
        over: Callable[[Snapshot], Snapshot] | None = None,
    ) -> RefreshReport:
        """As :meth:`Store.publish`, of what ``over`` makes of the snapshot: no order is written meanwhile."""
        # One at a time: both stores shall end with the same library.
        redis = self._usable()
        with self._alone(wait=True):
            library = Library.of(over(snapshot) if over else snapshot)
            try:
                if redis is not None and not redis.is_filled():
                    self._catch_up(redis)
            except UdiUnavailable as error:
                self._leave(error)
                redis = None
            if not force:
                known = self.stream_ids()
                guard(len(known), sum(key not in library.streams for key in known), max_drop)
            with self._file.writing():
                report = self._file.publish_library(library, broken=snapshot.broken)
                number = self._file.note("library", {})
            if redis is None:
                return report
            try:
                report = redis.publish_library(library, broken=snapshot.broken)
            except UdiUnavailable as error:
                self._leave(error)
            else:
                self._file.forget([number])
        return report

    def refreshed_at(self) -> datetime | None:
        return self._read(lambda store: store.refreshed_at())

    def accounts(self) -> list[Account]:
        return self._read(lambda store: store.accounts())

    def account(self, account_id: int) -> Account | None:
        return self._read(lambda store: store.account(account_id))

    def groups(self) -> list[Group]:
        return self._read(lambda store: store.groups())

    def stream(self, stream_id: int) -> Stream | None:
        return self._read(lambda store: store.stream(stream_id))

    def streams(self, stream_ids: Iterable[int]) -> dict[int, Stream]:
        wanted = list(stream_ids)
        return self._read(lambda store: store.streams(wanted))

    def stream_ids(self) -> list[int]:
        return self._read(lambda store: store.stream_ids())

    def streams_of_account(self, account_id: int) -> list[int]:
        return self._read(lambda store: store.streams_of_account(account_id))

    def streams_of_group(self, group_id: int) -> list[int]:
        return self._read(lambda store: store.streams_of_group(group_id))

    def streams_of_url(self, url_hash: str) -> list[int]:
        return self._read(lambda store: store.streams_of_url(url_hash))

    def channel(self, channel_id: int) -> Channel | None:
        return self._read(lambda store: store.channel(channel_id))

    def channels(self, channel_ids: Iterable[int] | None = None) -> list[Channel]:
        wanted = None if channel_ids is None else list(channel_ids)
        return self._read(lambda store: store.channels(wanted))

    def channels_of_group(self, group_id: int) -> list[int]:
        return self._read(lambda store: store.channels_of_group(group_id))

    def channels_of_stream(self, stream_id: int) -> list[int]:
        return self._read(lambda store: store.channels_of_stream(stream_id))

    def reorder(self, channel_id: int, stream_ids: Sequence[int]) -> None:
        with self._alone(wait=True):
            self._write("reorder", {"channel_id": channel_id}, lambda store: store.reorder(channel_id, stream_ids))

    # -- results -----------------------------------------------------------------------------
    def record(self, result: Result) -> None:
        self._write("result", {"result": result.model_dump(mode="json")}, lambda store: store.record(result))

    def result(self, stream_id: int) -> Result | None:
        return self._read(lambda store: store.result(stream_id))

    def results(self, stream_ids: Iterable[int]) -> dict[int, Result]:
        wanted = list(stream_ids)
        return self._read(lambda store: store.results(wanted))

    def history(self, stream_id: int, limit: int = 50) -> list[Result]:
        return self._read(lambda store: store.history(stream_id, limit))

    def streams_of_verdict(self, verdict: Verdict) -> list[int]:
        return self._read(lambda store: store.streams_of_verdict(verdict))

    def checked_since(self, since: datetime) -> list[int]:
        return self._read(lambda store: store.checked_since(since))

    def last_checks(self) -> dict[int, datetime]:
        return self._read(lambda store: store.last_checks())

    def changed_urls(self, stream_ids: Iterable[int]) -> set[int]:
        wanted = list(stream_ids)
        return self._read(lambda store: store.changed_urls(wanted))

    def dead_memory(self, stream_ids: Iterable[int]) -> dict[int, DeadMemory]:
        wanted = list(stream_ids)
        return self._read(lambda store: store.dead_memory(wanted))

    def remember_dead(self, stream_id: int, memory: DeadMemory) -> None:
        self._write("dead", {"stream_id": stream_id}, lambda store: store.remember_dead(stream_id, memory))

    def removed_streams(self, channel_id: int) -> dict[int, int]:
        return self._read(lambda store: store.removed_streams(channel_id))

    def removed_of_channels(self, channel_ids: Iterable[int]) -> dict[int, dict[int, int]]:
        wanted = list(channel_ids)
        return self._read(lambda store: store.removed_of_channels(wanted))

    # -- runs --------------------------------------------------------------------------------
    def open_run(self, run: Run) -> None:
        self._write("run", {"run_id": run.run_id}, lambda store: store.open_run(run))

    def settle(self, run_id: str, result: Result) -> list[int]:
        record = {"run_id": run_id, "result": result.model_dump(mode="json")}
        return self._write("settle", record, lambda store: store.settle(run_id, result))

    def unfinished_channels(self, run_id: str) -> list[int]:
        return self._read(lambda store: store.unfinished_channels(run_id))

    def unsettled_streams(self, run_id: str) -> list[int]:
        return self._read(lambda store: store.unsettled_streams(run_id))

    def finish_channel(self, change: ChannelChange) -> None:
        record = {"change": change.model_dump(mode="json")}
        self._write("channel", record, lambda store: store.finish_channel(change))

    def close_run(self, run_id: str, summary: dict[str, Any], at: datetime) -> None:
        record = {"run_id": run_id, "summary": summary, "at": at.isoformat()}
        self._write("close", record, lambda store: store.close_run(run_id, summary, at))

    def run(self, run_id: str) -> RunState | None:
        return self._read(lambda store: store.run(run_id))

    def runs(self, limit: int = 20) -> list[str]:
        return self._read(lambda store: store.runs(limit))

    def last_change(self, channel_id: int) -> ChannelChange | None:
        return self._read(lambda store: store.last_change(channel_id))

    def changes(self, channel_id: int, limit: int = 50) -> list[ChannelChange]:
        return self._read(lambda store: store.changes(channel_id, limit))

    def prune(self, *, history_per_stream: int = 50, runs: int = 200) -> dict[str, int]:
        pruned = self._file.prune(history_per_stream=history_per_stream, runs=runs)
        there = self._from_redis(lambda store: store.prune(history_per_stream=history_per_stream, runs=runs))
        return there[0] if there else pruned

    # -- live progress -----------------------------------------------------------------------
    def progress(self, stream_id: int, state: dict[str, Any] | None) -> None:
        self._read(lambda store: store.progress(stream_id, state))

    def running(self) -> dict[int, dict[str, Any]]:
        return self._read(lambda store: store.running())


def open_udi(client: Any, home: Path) -> Udi:
    """The UDI over a Redis client (None: the file store alone) and the file store of ``home``."""
    return Udi(RedisStore(client) if client is not None else None, FileStore(home / "udi" / "udi.db"))
