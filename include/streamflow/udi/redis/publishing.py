"""Publishing a library in Redis: finding the differences, and writing them in one transaction."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from redis.exceptions import WatchError

from streamflow.errors import UdiUnavailable
from streamflow.records import Channel, Stream
from streamflow.udi.ports import RefreshReport
from streamflow.udi.publication import Difference, brought_back, check_drop, identities, renamed, report
from streamflow.udi.redis import blocks
from streamflow.udi.redis.connection import Connection, chunks, watch
from streamflow.udi.redis.indexing import Edits
from streamflow.udi.redis.keys import GONE, PREFIX
from streamflow.udi.redis.library import ORDERS, write
from streamflow.udi.redis.renewed_lock import renewed_lock
from streamflow.udi.redis.results import RedisResults
from streamflow.udi.snapshot import LibraryTexts

# The names of the kinds of records in a library and in its blocks.
KINDS = {"accounts": "account", "groups": "group", "streams": "stream", "channels": "channel"}
# After a refresh has died, the next one can begin after this time. A running refresh renews its lock.
REFRESH_SECONDS = 12
REFRESH_WAITS_SECONDS = 60
# The number of refreshes. A refresh that reads another number than its own has been overtaken.
NUMBER = "refresh:number"


class Overtaken(Exception):
    """An order was written while the library was arranged. Arrange it again."""


@dataclass(frozen=True)
class Changes:
    """The differences that a refresh has to write.

    ``kinds`` has the differing records by kind. ``writes`` has the blocks and indexes by name, where None stands for
    one to delete, and ``read`` the values that they were computed from. ``renamed`` has the streams that came back
    under another id, ``gone`` the removed streams that have results, by their identities, ``back`` the identities of
    streams that came back, and ``returned`` the streams that an earlier refresh missed.
    """

    kinds: dict[str, Difference]
    writes: dict[str, bytes | None]
    read: dict[str, bytes | None]
    renamed: dict[int, int]
    gone: dict[str, int]
    back: list[str]
    returned: list[int]

    @property
    def shared(self) -> list[str]:
        """The names of the blocks to write that :meth:`RedisLibrary.reorder` may change meanwhile."""
        return [name for name in self.writes if name.startswith(("channel:", "member:"))]


class Publishing:
    """Publishes libraries, one at a time."""

    def __init__(self, connection: Connection, results: RedisResults) -> None:
        self._connection = connection
        self._results = results

    def publish(
        self,
        library: LibraryTexts,
        *,
        max_drop: float | None = None,
        broken: Sequence[tuple[str, str]] = (),
        at: datetime | None = None,
        orders: int | None = None,
    ) -> RefreshReport:
        """Replace the library, and write only the differences.

        :param max_drop: the largest share of the streams that may disappear, or None for no check.
        :param broken: the records that could not be read, for the report.
        :param at: the time of the refresh, by default now.
        :param orders: the number of written orders that the library contains; None for no check.
        :raises Overtaken: if an order was written since.
        """
        started = time.monotonic()
        new = {name: blocks.of_records(name, getattr(library, kind)) for kind, name in KINDS.items()}
        with self.alone() as number, self._connection.batch() as batch:
            while True:
                if orders is not None:
                    watch(batch, ORDERS)
                    if int(self._connection.get(ORDERS) or 0) != orders:
                        raise Overtaken("an order was written during the refresh")
                changes = self._compare(library, new, max_drop)
                carry = self._results.carrying(changes.renamed, changes.returned)
                watch(batch, NUMBER, *changes.shared)
                if int(self._connection.get(NUMBER) or 0) != number:
                    raise UdiUnavailable("another refresh has overtaken this one, which was held up for too long")
                current = self._connection.get_many(changes.shared)
                if any(value != changes.read[name] for name, value in current.items()):
                    batch.reset()
                    continue
                batch.multi()
                write(batch, changes.writes)
                carry(batch)
                for marks in chunks(changes.back):
                    batch.hdel(GONE, *marks)
                for leaving in chunks(changes.gone.items()):
                    batch.hset(GONE, mapping=dict(leaving))
                batch.set(PREFIX + "refreshed_at", (at or datetime.now(UTC)).isoformat())
                try:
                    batch.execute()
                    break
                except WatchError:
                    continue
        return report(changes.kinds, list(broken), started)

    @contextmanager
    def alone(self) -> Iterator[int]:
        """Hold the lock of refreshes, renewed until the end; yield the number of this refresh."""
        with self._connection.commands() as redis:
            key = PREFIX + "refresh"
            with renewed_lock(redis, key, seconds=REFRESH_SECONDS, wait=REFRESH_WAITS_SECONDS) as is_alone:
                if not is_alone:
                    raise UdiUnavailable(f"another refresh has not ended for {REFRESH_WAITS_SECONDS} s")
                yield redis.incr(PREFIX + NUMBER)

    def _compare(self, library: LibraryTexts, new: dict[str, dict[str, bytes]], max_drop: float | None) -> Changes:
        """Compare the stored library with the new one.

        :param new: the blocks of the new library, by kind.
        :raises SourceError: if the new library lost more than the share ``max_drop`` of the streams.
        """
        ids = {name: blocks.unpacked(self._connection.get(f"{name}s")) for name in ("stream", "channel")}
        kinds: dict[str, Difference] = {}
        former: dict[str, dict[int, bytes]] = {}
        writes: dict[str, bytes | None] = {}
        read: dict[str, bytes | None] = {}
        for kind, name in KINDS.items():
            before = blocks.names_of(name, ids[name]) if name in ids else [name]
            stored = self._connection.get_many(dict.fromkeys([*before, *new[name]]))
            kinds[kind], former[kind], changed = blocks.compared(stored, new[name])
            writes |= changed
            read |= stored
        streams = kinds["streams"]
        if max_drop is not None:
            check_drop(ids["stream"], library.streams, max_drop)
        removed = [Stream.model_validate_json(former["streams"][key]) for key in streams.removed]
        edits = _edits(library, kinds, former)
        indexes = self._connection.get_many(edits.names)
        gone = self._gone(map(library.stream, streams.added))
        former_ids = renamed(removed, map(library.stream, streams.added), gone)
        leaving = set(streams.removed) - set(former_ids.values())
        left = self._results.checked_of(leaving) | self._results.dead_memory(leaving).keys()
        return Changes(
            kinds=kinds,
            writes=writes | edits.apply(indexes),
            read=read | indexes,
            renamed=former_ids,
            gone={mark: stream.id for stream in removed if stream.id in left for mark in identities(stream)},
            back=list(gone),
            returned=brought_back(streams, former["streams"], former_ids, library),
        )

    def _gone(self, added: Iterable[Stream]) -> dict[str, int]:
        """Return the ids of the streams that left the library and come back, by their identities."""
        gone: dict[str, int] = {}
        with self._connection.commands() as redis:
            if not redis.exists(GONE):
                return gone
            for marks in chunks(mark for stream in added for mark in identities(stream)):
                ids = cast("list[bytes | None]", redis.hmget(GONE, marks))
                gone.update((mark, int(old)) for mark, old in zip(marks, ids, strict=True) if old is not None)
        return gone

    def refill_gone(self, gone: Mapping[str, int]) -> None:
        """Store the ids of streams that left the library, by their identities."""
        with self._connection.commands() as redis:
            for some in chunks(gone.items()):
                redis.hset(GONE, mapping=dict(some))


def _edits(library: LibraryTexts, kinds: dict[str, Difference], former: dict[str, dict[int, bytes]]) -> Edits:
    """Return the edits of the indexes: all former versions leave, then all new versions enter."""
    streams, channels = kinds["streams"], kinds["channels"]
    streams_before = (former["streams"][key] for key in (*streams.removed, *streams.changed))
    channels_before = (former["channels"][key] for key in (*channels.removed, *channels.changed))
    edits = Edits()
    edits.streams(map(Stream.model_validate_json, streams_before), is_present=False)
    edits.streams(map(library.stream, streams.written), is_present=True)
    edits.channels(map(Channel.model_validate_json, channels_before), is_present=False)
    edits.channels(map(library.channel, channels.written), is_present=True)
    return edits
