"""The Redis store: the library, results and runs under one interface, and what concerns them all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streamflow.udi.redis.base import EVENTS, PREFIX, chunks
from streamflow.udi.redis.blocks import URL_LINE
from streamflow.udi.redis.library import RedisLibrary
from streamflow.udi.redis.runs import RedisRuns

__all__ = ["EVENTS", "PREFIX", "RedisStore"]

# How the keys are laid out. A Redis of another layout counts as one that lost its data, and is filled anew.
LAYOUT = "2"
# An account that is off for some weeks takes its streams out of the library, and should find their past again.
GONE_DAYS = 30


class RedisStore(RedisLibrary, RedisRuns):
    """Implements :class:`~streamflow.udi.ports.Store` over a pooled client."""

    def ping(self) -> None:
        with self._redis() as redis:
            redis.ping()

    def knock(self, seconds: float) -> None:
        """As :meth:`ping`, tried once, on a connection of its own, and for at most so long."""
        pool = self._client.connection_pool
        once = {
            **pool.connection_kwargs,
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": seconds,
        }
        if "socket_connect_timeout" in once:
            once["socket_connect_timeout"] = min(seconds, once["socket_connect_timeout"] or seconds)
        with self._redis(), Redis(connection_pool=ConnectionPool(pool.connection_class, 1, **once)) as redis:
            try:
                redis.ping()
            finally:
                redis.connection_pool.disconnect()

    def changed_urls(self, stream_ids: Iterable[int]) -> set[int]:
        checked = {stream: url[:URL_LINE] for stream, url in self.url_hashes(stream_ids).items()}
        without = hashlib.sha256(b"").hexdigest().encode()[:URL_LINE]
        now = dict.fromkeys(checked, without)
        for digits, streams in self._url_lines():
            now.update((stream, digits) for stream in streams if stream in checked)
        return {stream for stream, digits in checked.items() if now[stream] != digits}

    def is_filled(self) -> bool:
        """Whether everything is there; false for a Redis that came back without its data."""
        with self._redis() as redis:
            return bool(redis.get(PREFIX + "layout") == LAYOUT.encode())

    def mark_filled(self) -> None:
        with self._redis() as redis:
            redis.set(PREFIX + "layout", LAYOUT)

    def clear(self) -> None:
        """Drop everything, also what another layout left."""
        with self._redis() as redis:
            redis.delete(PREFIX + "layout")
            for chunk in chunks(redis.scan_iter(match=PREFIX + "*", count=1000)):
                redis.unlink(*chunk)

    def prune(self, *, history_per_stream: int = 50, runs: int = 200) -> dict[str, int]:
        pruned = {"history": self.trim_history(history_per_stream), "runs": self.forget_runs(runs), "streams": 0}
        known = set(self.stream_ids())
        # Without a library, every stream would look gone.
        if known:
            before = datetime.now(UTC) - timedelta(days=GONE_DAYS)
            pruned["streams"] = self.forget_streams(known, before)
        return pruned
