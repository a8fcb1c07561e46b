"""Distribution of events to all subscribers of a process over one connection to Redis.

The UDI and the limiter append their events to one Redis stream each. One task reads both streams into a ring buffer and
passes each event to every subscriber. A subscriber that falls behind is dropped; it continues by the id of its last
event, which encodes the position in both streams.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import Redis
from redis.exceptions import RedisError

from account_limiter import connect_async
from stream_checker.events.entries import SOURCES, START, Event, Position, UnreadableEntry, read_entry

log = logging.getLogger(__name__)

# Each Redis stream keeps about 2,000 entries; the ring holds those of both.
RING_EVENTS = 4000
# Far below BACKLOG_EVENTS, so that a subscriber can take its events between two readings.
READ_ENTRIES = 100
BLOCK_SECONDS = 1.0
RETRY_SECONDS = 1.0
# The reader stops after this time without a subscriber.
LINGER_SECONDS = 3.0
BACKLOG_EVENTS = 1000

Connect = Callable[[], Awaitable[Redis]]


class Subscriber:
    """Receives each event after ``begin`` once and in order, until it has :attr:`ended` because it was too slow."""

    def __init__(self, begin: Position, missed: Iterable[Event]) -> None:
        self.begin = begin
        self.ended = False
        self._missed = list(missed)
        self._new: list[Event] = []
        self._changed = asyncio.Event()

    def add(self, event: Event) -> None:
        """Add an event, or end the subscriber when its backlog is full."""
        if len(self._new) >= BACKLOG_EVENTS:
            self.end()
        elif not self.ended:
            self._new.append(event)
            self._changed.set()

    def end(self) -> None:
        """End the subscriber and drop its backlog, which it can request again."""
        self.ended = True
        self._new.clear()
        self._changed.set()

    async def take(self, timeout: float) -> list[Event]:
        """Return the events since the last call, waiting for one if there is none.

        :param timeout: seconds to wait.
        :returns: no event after the timeout or when the subscriber has ended.
        """
        if not self._missed and not self.ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
        self._changed.clear()
        taken, self._missed, self._new = self._missed + self._new, [], []
        return taken


class EventFeed:
    """The events of one event loop. It reads while there is a subscriber, and retries while Redis is unavailable.

    An entry that cannot be read is skipped and counted in :attr:`unreadable_entries`.

    :param connect: opens a connection to Redis.
    """

    def __init__(self, connect: Connect) -> None:
        self.unreadable_entries = 0
        self._connect = connect
        self._subscribers: set[Subscriber] = set()
        self._ring: deque[Event] = deque(maxlen=RING_EVENTS)
        self._position = START
        self._filled = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Return the number of subscribers."""
        return len(self._subscribers)

    @asynccontextmanager
    async def subscribe(self, after: Position | None) -> AsyncIterator[Subscriber]:
        """Open a subscriber.

        :param after: position of the last event that the subscriber knows; None for new events only.
        """
        if self._reader is None:
            self._filled = asyncio.Event()
            self._reader = asyncio.create_task(self._read())
        await self._filled.wait()
        # Without an await between here and the next addition, no event is missed or sent twice.
        missed = [] if after is None else [one for one in self._ring if one.position[one.source] > after[one.source]]
        subscriber = Subscriber(after or self._position, missed)
        self._subscribers.add(subscriber)
        if self._reader is None:
            subscriber.end()
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    async def _read(self) -> None:
        redis: Redis | None = None
        idle_seconds = 0.0
        try:
            while idle_seconds < LINGER_SECONDS and not server_is_stopping():
                try:
                    redis = redis or await self._connect()
                    await self._read_entries(redis)
                except (RedisError, OSError) as error:
                    log.warning("Redis is unavailable; clients receive no events until it is back: %s", error)
                    self._filled.set()
                    await asyncio.sleep(RETRY_SECONDS)
                if self._filled.is_set():
                    idle_seconds = 0.0 if self._subscribers else idle_seconds + BLOCK_SECONDS
        finally:
            for subscriber in self._subscribers:
                subscriber.end()
            self._ring.clear()
            self._position = START
            self._reader = None
            self._filled.set()
            if redis is not None:
                await redis.aclose()

    async def _read_entries(self, redis: Redis) -> None:
        """Read the next entries; once all are read, wait for a new one."""
        since: Any = {
            name: f"{time}-{sequence}" for name, (time, sequence) in zip(SOURCES, self._position, strict=True)
        }
        block = int(BLOCK_SECONDS * 1000) if self._filled.is_set() else None
        entries_by_stream: Any = await redis.xread(since, count=READ_ENTRIES, block=block)
        if not entries_by_stream:
            self._filled.set()
        for name, entries in entries_by_stream:
            self._add_entries(SOURCES.index(name.decode()), entries)

    def _add_entries(self, source: int, entries: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> None:
        unreadable_before = self.unreadable_entries
        for entry_id, fields in entries:
            time, _, sequence = entry_id.decode().partition("-")
            place = (int(time), int(sequence))
            self._position = (place, self._position[1]) if source == 0 else (self._position[0], place)
            try:
                event = read_entry(source, fields, self._position)
            except UnreadableEntry as error:
                self.unreadable_entries += 1
                log.debug("entry %s of %s cannot be read: %s", entry_id, SOURCES[source], error)
                continue
            self._ring.append(event)
            for subscriber in self._subscribers:
                subscriber.add(event)
        if skipped := self.unreadable_entries - unreadable_before:
            log.warning("skipped %d events of %s that cannot be read", skipped, SOURCES[source])


def server_is_stopping() -> bool:
    """Return whether the server was asked to stop. It then waits for all responses, so event streams must end."""
    server: Any = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, EventFeed] = WeakKeyDictionary()


def current_feed() -> EventFeed:
    """Return the feed of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _feeds:
        _feeds[loop] = EventFeed(connect_async)
    return _feeds[loop]
