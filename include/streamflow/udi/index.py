"""The UDI as the rest of the product uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

from redis import Redis

from streamflow.udi import bounds, journal
from streamflow.udi.fallback import Backend, Fallback
from streamflow.udi.ports import Library, Progress, RefreshReport, Results, Runs
from streamflow.udi.publication import check_drop
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.snapshot import LibraryTexts, Snapshot
from streamflow.udi.sqlite.store import FileStore

# Calls whose data expires within seconds.
TRANSIENT = {"progress.publish"}


class Udi:
    """Implements :class:`~streamflow.udi.ports.Store` by Redis, with the file store as its fallback."""

    def __init__(self, redis: RedisStore | None, file: FileStore) -> None:
        self._fallback = Fallback(redis, file)
        self.library = cast("Library", _Port(self._fallback, "library", Library))
        self.results = cast("Results", _Port(self._fallback, "results", Results))
        self.runs = cast("Runs", _Port(self._fallback, "runs", Runs))
        self.progress = cast("Progress", _Port(self._fallback, "progress", Progress))

    def publish(
        self,
        snapshot: Snapshot,
        *,
        max_drop: float = 0.5,
        force: bool = False,
        over: Callable[[Snapshot], Snapshot] | None = None,
    ) -> RefreshReport:
        """Replace the library by a snapshot, as :meth:`~streamflow.udi.ports.Store.publish` says.

        :param over: makes the snapshot to publish from the given one. No order is written meanwhile.
        """
        self._fallback.fill_if_empty()
        with self._fallback.alone(wait=True):
            texts = LibraryTexts.of(over(snapshot) if over else snapshot)
            if not force:
                former_ids = self.library.stream_ids()
                removed = sum(stream_id not in texts.streams for stream_id in former_ids)
                check_drop(len(former_ids), removed, max_drop)
            return self._fallback.write(
                journal.Published(), lambda store: store.publishing.publish(texts, broken=snapshot.broken)
            )

    def prune(self, *, runs: int = bounds.RUNS) -> dict[str, int]:
        """Delete old data in both stores, as :meth:`~streamflow.udi.ports.Store.prune` says."""
        return self._fallback.both(lambda store: store.prune(runs=runs))

    def merge(self) -> int:
        """Write into Redis what only the file store has.

        :returns: the number of writes. A repeated call does no harm.
        """
        return self._fallback.merge()


class _Port:
    """A port whose calls go to the same port of both stores: writes to both, all others to the first available."""

    def __init__(self, fallback: Fallback, name: str, protocol: type) -> None:
        self._fallback = fallback
        self._name = name
        self._methods = vars(protocol)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_") or method not in self._methods:
            raise AttributeError(f"{self._name} has no {method}")
        path = f"{self._name}.{method}"
        of_store, entry_of = attrgetter(path), journal.WRITES.get(path)

        def call(*arguments: Any, **options: Any) -> Any:
            # Both stores may need the arguments, and an iterator can be read only once.
            arguments = tuple(list(each) if isinstance(each, Iterator) else each for each in arguments)

            def do(store: Backend) -> Any:
                return of_store(store)(*arguments, **options)

            if entry_of is None:
                return self._fallback.read(do, is_transient=path in TRANSIENT)
            entry = entry_of(*arguments, **options)
            with self._fallback.alone(wait=True) if entry.is_alone else nullcontext():
                return self._fallback.write(entry, do)

        # The next access finds the function as an attribute.
        setattr(self, method, call)
        return call


def open_udi(client: Redis | None, home: Path) -> Udi:
    """Return the UDI over a Redis client (None: the file store alone) and the file store in ``home``."""
    return Udi(RedisStore(client) if client is not None else None, FileStore(home / "udi" / "udi.db"))
