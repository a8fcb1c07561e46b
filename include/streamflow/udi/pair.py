"""The UDI as its users see it: the Redis store, with the file store behind it for when Redis is away.

Reads and writes go to Redis. What a run needs to go on without it is kept in the file store as well: the library after
each refresh, each planned run. While Redis is away the file store answers and takes everything, noting writes in a
journal; :meth:`Udi.merge` plays the journal into Redis, in order, and each entry is forgotten only when it is in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from streamflow.errors import UdiUnavailable
from streamflow.udi.file_store import FileStore
from streamflow.udi.models import Account, Channel, Group, Result, Stream, Verdict
from streamflow.udi.redis_store import RedisStore
from streamflow.udi.store import ChannelChange, DeadMemory, RefreshReport, Run, RunState, Snapshot, Store

log = logging.getLogger(__name__)

T = TypeVar("T")

# While Redis is away, one call in this many seconds finds out whether it is back; no other waits for a time-out.
LOOK_AGAIN_SECONDS = 5.0


class Udi:
    """Implements :class:`~streamflow.udi.store.Store`; raises UdiUnavailable when neither store answers."""

    def __init__(self, redis: RedisStore | None, file: FileStore) -> None:
        self._redis = redis
        self._file = file
        self._away_mark = file.file.with_name("redis.away")

    @property
    def redis_up(self) -> bool:
        """Whether Redis answers; asked anew, but at most once in a few seconds while it is away."""
        return self._redis is not None and not self._known_away() and self._try(self._redis.ping)

    def _known_away(self) -> bool:
        try:
            return time.time() - self._away_mark.stat().st_mtime < LOOK_AGAIN_SECONDS
        except FileNotFoundError:
            return False

    def _try(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except UdiUnavailable as error:
            self._left(error)
            return False
        self._back()
        return True

    def _left(self, error: UdiUnavailable) -> None:
        if not self._away_mark.exists():
            log.warning("the UDI answers from its file store: %s", error)
        self._away_mark.touch()

    def _back(self) -> None:
        if self._away_mark.exists():
            self._away_mark.unlink(missing_ok=True)
            log.warning("the UDI answers from Redis again")
            self.merge()

    def _read(self, ask: Callable[[Store], T]) -> T:
        if self._redis is not None and not self._known_away():
            try:
                answer = ask(self._redis)
            except UdiUnavailable as error:
                self._left(error)
            else:
                self._back()
                return answer
        return ask(self._file)

    def _write(self, kind: str, record: dict[str, Any], do: Callable[[Store], T]) -> T:
        """Write to Redis, or to the file store with a note for the merge."""
        if self._redis is not None and not self._known_away():
            try:
                answer = do(self._redis)
            except UdiUnavailable as error:
                self._left(error)
            else:
                self._back()
                return answer
        answer = do(self._file)
        self._file.note(kind, record)
        return answer

    def merge(self) -> int:
        """Bring into Redis what only the file store has; answers how many entries. Repeating it does no harm."""
        redis = self._redis
        if redis is None or not self._try_quietly(redis.ping):
            return 0
        if redis.refreshed_at() is None and self._file.refreshed_at() is not None:
            log.warning("Redis is empty: filling it from the file store")
            redis.publish(self._file.library(), force=True)
            for result in self._file.latest():
                redis.record(result)
        merged = 0
        while entries := self._file.journal():
            for number, kind, record in entries:
                _replay(redis, kind, record)
                self._file.forget(number)
                merged += 1
        return merged

    @staticmethod
    def _try_quietly(call: Callable[[], object]) -> bool:
        try:
            call()
        except UdiUnavailable:
            return False
        return True

    def ping(self) -> None:
        self._read(lambda store: store.ping())

    # -- the library -------------------------------------------------------------------------
    def publish(self, snapshot: Snapshot, *, max_drop: float = 0.5, force: bool = False) -> RefreshReport:
        report = self._file.publish(snapshot, max_drop=max_drop, force=force)
        if self.redis_up and self._redis is not None:
            report = self._redis.publish(snapshot, max_drop=max_drop, force=force)
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
        order = {"channel_id": channel_id, "stream_ids": list(stream_ids)}
        self._write("reorder", order, lambda store: store.reorder(channel_id, stream_ids))

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

    def dead_memory(self, stream_ids: Iterable[int]) -> dict[int, DeadMemory]:
        wanted = list(stream_ids)
        return self._read(lambda store: store.dead_memory(wanted))

    def remember_dead(self, stream_id: int, memory: DeadMemory) -> None:
        record = {"stream_id": stream_id, "memory": memory.model_dump(mode="json")}
        self._write("dead", record, lambda store: store.remember_dead(stream_id, memory))

    def removed_streams(self, channel_id: int) -> dict[int, int]:
        return self._read(lambda store: store.removed_streams(channel_id))

    # -- runs --------------------------------------------------------------------------------
    def open_run(self, run: Run) -> None:
        # In both: a run that began with Redis must go on without it.
        self._file.open_run(run)
        if self.redis_up and self._redis is not None:
            self._redis.open_run(run)
        else:
            self._file.note("run", {"run": run.model_dump(mode="json")})

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

    def prune(self, *, history_per_stream: int = 50, runs: int = 200) -> dict[str, int]:
        pruned = self._file.prune(history_per_stream=history_per_stream, runs=runs)
        if self.redis_up and self._redis is not None:
            pruned = self._redis.prune(history_per_stream=history_per_stream, runs=runs)
        return pruned

    # -- live progress -----------------------------------------------------------------------
    def progress(self, stream_id: int, state: dict[str, Any] | None) -> None:
        self._read(lambda store: store.progress(stream_id, state))

    def running(self) -> dict[int, dict[str, Any]]:
        return self._read(lambda store: store.running())


def _replay(store: RedisStore, kind: str, record: dict[str, Any]) -> None:
    """Every write that a journal can hold, done again."""
    match kind:
        case "run":
            store.open_run(Run.model_validate(record["run"]))
        case "result":
            store.record(Result.model_validate(record["result"]))
        case "settle":
            store.settle(record["run_id"], Result.model_validate(record["result"]))
        case "channel":
            store.finish_channel(ChannelChange.model_validate(record["change"]))
        case "reorder":
            store.reorder(record["channel_id"], record["stream_ids"])
        case "dead":
            store.remember_dead(record["stream_id"], DeadMemory.model_validate(record["memory"]))
        case "close":
            store.close_run(record["run_id"], record["summary"], datetime.fromisoformat(record["at"]))
        case _:
            raise ValueError(f"a journal entry of an unknown kind: {kind}")


def open_udi(client: Any, home: Path) -> Udi:
    """The UDI over a Redis client (None: the file store alone) and the file store of ``home``."""
    return Udi(RedisStore(client) if client is not None else None, FileStore(home / "udi" / "udi.db"))
