"""The Redis store: its four parts, and the operations that concern several of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeAlias, cast

from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streamflow.udi import bounds
from streamflow.udi.ports import RefreshReport
from streamflow.udi.redis.connection import Connection, RedisEmpty, chunks
from streamflow.udi.redis.keys import EVENTS, FILLING_LOCK, FILLING_NAME, LAYOUT, LAYOUT_KEY, LAYOUT_NAME, PREFIX
from streamflow.udi.redis.library import RedisLibrary
from streamflow.udi.redis.progress import RedisProgress
from streamflow.udi.redis.publishing import Publishing
from streamflow.udi.redis.renewed_lock import renewed_lock
from streamflow.udi.redis.results import RedisResults
from streamflow.udi.redis.runs import RedisRuns
from streamflow.udi.redis.settling import Settling
from streamflow.udi.snapshot import LibraryTexts, Snapshot

# When a process has died while it filled Redis, the next one can begin after this time.
FILLING_SECONDS = 6


_Event: TypeAlias = tuple[bytes, dict[bytes, bytes]]


def _id(event: bytes) -> tuple[int, int]:
    at, number = event.split(b"-")
    return int(at), int(number)


class RedisStore:
    """Implements :class:`~streamflow.udi.ports.Store` over a pooled client."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._connection = Connection(client)
        settling = Settling(self._connection)
        self.library = RedisLibrary(self._connection)
        self.results = RedisResults(self._connection, settling)
        self.runs = RedisRuns(self._connection, settling)
        self.progress = RedisProgress(self._connection)

    # A check publishes no library.
    @cached_property
    def publishing(self) -> Publishing:
        """The replacement of the library by a snapshot."""
        return Publishing(self._connection, self.results)

    def publish(self, snapshot: Snapshot, *, max_drop: float = 0.5, force: bool = False) -> RefreshReport:
        """Replace the library by a snapshot, in one step, and write only the differences."""
        texts = LibraryTexts.of(snapshot)
        return self.publishing.publish(texts, max_drop=None if force else max_drop, broken=snapshot.broken)

    def prune(self, *, runs: int = bounds.RUNS) -> dict[str, int]:
        """Delete old runs, and the data of streams that left the library long ago."""
        pruned = {"runs": self.runs.forget(runs), "streams": 0}
        library_ids = set(self.library.stream_ids())
        # Without a library, every stream would seem to have left it.
        if library_ids:
            before = datetime.now(UTC) - timedelta(days=bounds.GONE_DAYS)
            pruned["streams"] = self.results.forget_streams(library_ids, before)
        return pruned

    def probe(self, seconds: float) -> None:
        """Check that Redis can be reached, with one attempt on a connection of its own.

        :param seconds: the time-out.
        :raises UdiUnavailable: if Redis cannot be reached.
        """
        pool = self._client.connection_pool
        options = {
            **pool.connection_kwargs,
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": seconds,
        }
        if "socket_connect_timeout" in options:
            options["socket_connect_timeout"] = min(seconds, options["socket_connect_timeout"] or seconds)
        own_pool = ConnectionPool(pool.connection_class, 1, **options)
        with self._connection.commands(), Redis(connection_pool=own_pool) as redis:
            try:
                redis.ping()
            finally:
                own_pool.disconnect()

    def is_filled(self) -> bool:
        """Return whether Redis holds all data in the present layout."""
        return self._connection.get(LAYOUT_NAME) == LAYOUT.encode()

    def mark_filled(self) -> str:
        """Mark that Redis holds all data; return the id of this filling."""
        filling = uuid.uuid4().hex
        with self._connection.commands() as redis:
            redis.mset({LAYOUT_KEY: LAYOUT, PREFIX + FILLING_NAME: filling})
        return filling

    @contextmanager
    def alone(self, *, wait: bool) -> Iterator[None]:
        """Exclude the filling by other machines.

        :param wait: wait for another machine that fills Redis, or that died while it did.
        :raises RedisEmpty: if another machine is filling Redis.
        """
        with (
            self._connection.commands() as redis,
            renewed_lock(redis, FILLING_LOCK, seconds=FILLING_SECONDS, wait=wait * 3 * FILLING_SECONDS) as is_alone,
        ):
            if not is_alone:
                raise RedisEmpty("Redis is being filled from another machine")
            yield

    def state(self) -> tuple[bytes | None, bytes | None, bytes]:
        """Return the time of the last refresh, the filling and the id of the last event."""
        with self._connection.batch(transaction=False) as batch:
            batch.get(PREFIX + "refreshed_at")
            batch.get(PREFIX + FILLING_NAME)
            batch.xrevrange(EVENTS, count=1)
            refreshed_at, filling, last = batch.execute()
        return refreshed_at, filling, last[0][0] if last else b"0-0"

    def events(self, after: bytes, last: bytes) -> list[tuple[str, dict[str, Any]]] | None:
        """Return the events between two ids, the second one included; None if some are no longer stored."""
        with self._connection.commands() as redis:
            oldest = cast("list[_Event]", redis.xrange(EVENTS, count=1))
            if not oldest or _id(oldest[0][0]) > _id(after):
                return None
            entries = cast("list[_Event]", redis.xrange(EVENTS, b"(" + after, last))
        return [(fields[b"type"].decode(), json.loads(fields[b"json"])) for _, fields in entries]

    def clear(self) -> None:
        """Delete all keys of the UDI, also those of other layouts."""
        with self._connection.commands() as redis:
            redis.delete(LAYOUT_KEY)
            for chunk in chunks(redis.scan_iter(match=PREFIX + "*", count=1000)):
                redis.unlink(*chunk)
