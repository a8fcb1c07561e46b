"""The fallback: Redis serves the UDI, and the file store serves it while Redis is away.

Every write goes into the file store first, in one transaction with an entry of its journal, and then into Redis. When
Redis has acknowledged the write, the entry is deleted: at once, or, after a result, in the transaction of the process's
next write. So the file store is always current, and the journal holds every write that Redis may lack because it was
away, its reply was lost or the writer died. It may also hold acknowledged results of processes that have ended. The
next merge repeats these, which changes nothing. Reads go to Redis.

While Redis is away, a mark beside the file makes all processes use the file store alone. One call in a few seconds
checks whether Redis is back, brings it up to date and removes the mark, before any process reads from Redis again. All
of this can be repeated without harm: facts are stored once, and states are copied as they are in the file store.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar

from streamflow.errors import UdiUnavailable
from streamflow.udi import journal
from streamflow.udi.filling import fill
from streamflow.udi.journal import Entry
from streamflow.udi.redis.connection import RedisEmpty
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.replication import Replication
from streamflow.udi.sqlite.store import FileStore

log = logging.getLogger(__name__)

T = TypeVar("T")
Backend: TypeAlias = RedisStore | FileStore

# Calls whose data expires within seconds.
TRANSIENT = {"progress.publish"}
# While Redis is away, one call in this time checks whether it is back. No other call waits for a time-out.
RECHECK_SECONDS = 5.0
# The time-out of that check.
PROBE_SECONDS = 1.0


class Fallback:
    """Redis with the file store behind it. Raises UdiUnavailable when neither can be used."""

    def __init__(self, redis: RedisStore | None, file: FileStore) -> None:
        self._redis = redis
        self.file = file
        self._away_mark = file.file.with_name("redis.away")
        self._is_proven = False
        self._acknowledged: list[int] = []
        self._replication = Replication(redis, file) if redis else None

    def read(self, ask: Callable[[Backend], T], *, is_transient: bool = False) -> T:
        """Return the reply of Redis, or that of the file store while Redis is away.

        :param is_transient: nothing is lost if Redis has lost its data since this process last used it.
        """
        reply = self._from_redis(ask, is_proof=is_transient and self._is_proven)
        return reply[0] if reply else ask(self.file)

    def write(self, entry: Entry, do: Callable[[Backend], T]) -> T:
        """Write to the file store and to Redis.

        :param entry: the entry of the journal, from which the write can be repeated.
        :returns: what ``do`` returned for Redis, or for the file store while Redis is away.
        """
        try:
            with self.file.writing():
                result = do(self.file)
                number = self.file.note(entry.kind, entry.model_dump_json(exclude_defaults=True))
                self._forget_acknowledged()
        except UdiUnavailable as error:
            log.error("the UDI's file store is out of date: %s", error)
            only = self._from_redis(do, is_proof=entry.is_rejected_when_empty)
            if only is None:
                raise
            return only[0]
        # The mark is read after the commit: either the process that removes it sees our entry, or we see no mark.
        reply = self._from_redis(do, is_proof=entry.is_rejected_when_empty)
        if reply is None:
            return result
        if entry.may_wait:
            self._acknowledged.append(number)
        else:
            self.file.forget([number])
        return reply[0]

    def both(self, do: Callable[[Backend], T]) -> T:
        """Do something in both stores that is not journaled; return the result of Redis, if it is there."""
        result = do(self.file)
        reply = self._from_redis(do)
        return reply[0] if reply else result

    def fill_if_empty(self) -> None:
        """Fill a Redis that has lost its data, if there is one."""
        redis = self._usable()
        if redis is None:
            return
        try:
            if not redis.is_filled():
                with self.alone(wait=True):
                    self._catch_up(redis, wait=True)
        except UdiUnavailable as error:
            self._leave(error)

    def merge(self) -> int:
        """Bring Redis up to date; return the number of merged entries of the journal."""
        if self._redis is None:
            return 0
        with self.alone(wait=True):
            try:
                self._redis.probe(PROBE_SECONDS)
                return self._catch_up(self._redis, wait=True)
            except UdiUnavailable as error:
                self._leave(error)
                return 0

    def follow(self) -> int:
        """Bring Redis up to date, and the file store too; return the number of merged and copied records.

        A home of which another process does this at the same time is left to that process.
        """
        if self._redis is None or self._replication is None:
            return 0
        with self.alone(wait=False) as is_alone:
            if not is_alone:
                return 0
            try:
                if self.is_away:
                    self._redis.probe(PROBE_SECONDS)
                return self._catch_up(self._redis) + self._replication.copy()
            except UdiUnavailable as error:
                self._leave(error)
                return 0

    @property
    def is_away(self) -> bool:
        """Whether Redis is marked as away."""
        return self._redis is None or self._away_mark.exists()

    @contextmanager
    def alone(self, *, wait: bool) -> Iterator[bool]:
        """Exclude the refreshes, written orders and merges of all processes.

        :param wait: wait for the others; otherwise yield False when there is another.
        """
        folder = self.file.file.parent
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

    def _from_redis(self, ask: Callable[[Backend], T], *, is_proof: bool = False) -> tuple[T] | None:
        """Return the reply of Redis in a tuple, or None while it is away.

        :param is_proof: the reply itself proves that Redis has its data.
        """
        redis = self._usable()
        if redis is None:
            return None
        try:
            return (ask(redis) if is_proof else self._ask(redis, ask),)
        except UdiUnavailable as error:
            self._leave(error)
            return None

    def _usable(self) -> RedisStore | None:
        """Return the Redis store, unless it is marked as away and still is."""
        if self._redis is None:
            return None
        try:
            checked_at = self._away_mark.stat().st_mtime
        except FileNotFoundError:
            return self._redis
        if time.time() - checked_at < RECHECK_SECONDS:
            return None
        with self.alone(wait=False) as is_alone:
            return self._redis if is_alone and self._is_back(self._redis) else None

    def _is_back(self, redis: RedisStore) -> bool:
        # The new time of the mark keeps others from checking meanwhile.
        self._away_mark.touch()
        try:
            redis.probe(PROBE_SECONDS)
            self._catch_up(redis)
        except UdiUnavailable as error:
            log.info("Redis is still away: %s", error)
            self._away_mark.touch()
            return False
        return True

    def _leave(self, error: UdiUnavailable) -> None:
        """Mark Redis as away."""
        if not self._away_mark.exists():
            is_new = isinstance(error, RedisEmpty) and self.file.library.refreshed_at() is None
            log.log(logging.INFO if is_new else logging.WARNING, "the UDI uses its file store: %s", error)
        self._away_mark.parent.mkdir(parents=True, exist_ok=True)
        self._away_mark.touch()
        if isinstance(error, RedisEmpty):
            # It can be reached: the next call may fill it at once.
            os.utime(self._away_mark, (0, 0))

    def _ask(self, redis: RedisStore, ask: Callable[[Backend], T]) -> T:
        """Return the reply of a Redis that has its data; raise RedisEmpty for one that has lost it."""
        if not self._is_proven:
            self._prove(redis)
        reply = ask(redis)
        # An empty Redis has only empty replies, so that others need no further proof.
        if not reply:
            self._prove(redis)
        return reply

    def _prove(self, redis: RedisStore) -> None:
        # Replies from another layout could be misread, so that the first call needs a proof too.
        self._is_proven = redis.is_filled()
        if not self._is_proven:
            raise RedisEmpty("Redis has lost its data")

    def _forget_acknowledged(self) -> None:
        # A number that another thread adds meanwhile may get lost. Its entry is then repeated by the next merge.
        numbers, self._acknowledged = self._acknowledged, []
        if numbers:
            self.file.forget(numbers)

    def _catch_up(self, redis: RedisStore, *, wait: bool = False) -> int:
        """Merge the whole journal and remove the mark. Only one process of a home may do this at a time.

        :param wait: wait for another machine that is filling Redis.
        """
        if not redis.is_filled():
            # Until it is full, no process may read it. Writes go into the journal meanwhile, and are merged.
            self._leave(RedisEmpty("Redis has lost its data and is being filled"))
            with redis.alone(wait=wait):
                # Another machine may have filled it meanwhile.
                if not redis.is_filled():
                    fill(redis, self.file)
        merged = 0
        self._forget_acknowledged()
        while True:
            while entries := self.file.journal():
                for _, kind, text in entries:
                    journal.replay(redis, self.file, kind, text)
                self.file.forget(number for number, _, _ in entries)
                merged += len(entries)
            # No write can come between the last look into the journal and the removal of the mark.
            with self.file.writing():
                if not self.file.journal(1):
                    if self._away_mark.exists():
                        self._away_mark.unlink(missing_ok=True)
                        log.info("the UDI uses Redis again; merged %d writes", merged)
                    return merged


class Port:
    """A port whose calls go to the same port of both stores: writes to both, all others to the first available."""

    def __init__(self, fallback: Fallback, name: str, protocol: type) -> None:
        self._fallback = fallback
        for method in vars(protocol):
            if not method.startswith("_"):
                setattr(self, method, self._call(f"{name}.{method}"))

    def __getattr__(self, method: str) -> Callable[..., Any]:
        raise AttributeError(f"this port has no method {method}")

    def _call(self, path: str) -> Callable[..., Any]:
        """Return the function for a method of both stores, given by its port and its name."""
        method_of, entry_of, is_transient = attrgetter(path), journal.WRITES.get(path), path in TRANSIENT

        def call(*arguments: Any, **options: Any) -> Any:
            # Both stores may need the arguments, and an iterator can be read only once.
            arguments = tuple(list(each) if isinstance(each, Iterator) else each for each in arguments)

            def do(store: Backend) -> Any:
                return method_of(store)(*arguments, **options)

            if entry_of is None:
                return self._fallback.read(do, is_transient=is_transient)
            entry = entry_of(*arguments, **options)
            with self._fallback.alone(wait=True) if entry.is_alone else nullcontext():
                return self._fallback.write(entry, do)

        return call
