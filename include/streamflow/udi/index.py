"""The UDI as the rest of the product uses it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from redis import Redis

from streamflow.udi import bounds, journal
from streamflow.udi.fallback import Fallback, Port
from streamflow.udi.ports import Library, Progress, RefreshReport, Results, Runs
from streamflow.udi.publication import check_drop
from streamflow.udi.redis.publishing import Overtaken
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.snapshot import LibraryTexts, Snapshot
from streamflow.udi.sqlite.store import FileStore

log = logging.getLogger(__name__)


class Udi:
    """Implements :class:`~streamflow.udi.ports.Store` by Redis, with the file store as its fallback."""

    def __init__(self, redis: RedisStore | None, file: FileStore) -> None:
        self._fallback = fallback = Fallback(redis, file)
        self.library = cast("Library", Port(fallback, "library", Library))
        self.results = cast("Results", Port(fallback, "results", Results))
        self.runs = cast("Runs", Port(fallback, "runs", Runs))
        self.progress = cast("Progress", Port(fallback, "progress", Progress))

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
            while True:
                try:
                    return self._publish(snapshot, over, max_drop=None if force else max_drop)
                except Overtaken as error:
                    log.info("the library is arranged again: %s", error)

    def _publish(
        self, snapshot: Snapshot, over: Callable[[Snapshot], Snapshot] | None, *, max_drop: float | None
    ) -> RefreshReport:
        """Publish a library once.

        :raises Overtaken: if another machine wrote an order meanwhile.
        """
        orders = self._fallback.read(lambda store: store.library.orders()) if over else None
        texts, at = LibraryTexts.of(over(snapshot) if over else snapshot), datetime.now(UTC)
        if max_drop is not None:
            check_drop(self.library.stream_ids(), texts.streams, max_drop)
        return self._fallback.write(
            journal.Published(),
            lambda store: store.publishing.publish(texts, broken=snapshot.broken, at=at, orders=orders),
        )

    def prune(self, *, runs: int = bounds.RUNS) -> dict[str, int]:
        """Delete old data in both stores, as :meth:`~streamflow.udi.ports.Store.prune` says."""
        return self._fallback.both(lambda store: store.prune(runs=runs))

    def prune_file(self) -> dict[str, int]:
        """Delete old data in this machine's file store alone, as :meth:`prune` does in both."""
        return self._fallback.file.prune()

    def merge(self) -> int:
        """Write into Redis what only the file store has.

        :returns: the number of writes. A repeated call does no harm.
        """
        return self._fallback.merge()

    def follow(self) -> int:
        """Merge as :meth:`merge` does, and copy what other machines wrote into this machine's file store.

        :returns: the number of merged and copied records.
        """
        return self._fallback.follow()

    @property
    def is_away(self) -> bool:
        """Whether Redis is away, so that this machine knows nothing of what other machines write."""
        return self._fallback.is_away


def open_udi(client: Redis | None, home: Path) -> Udi:
    """Return the UDI over a Redis client (None: the file store alone) and the file store in ``home``."""
    return Udi(RedisStore(client) if client is not None else None, FileStore(home / "udi" / "udi.db"))
