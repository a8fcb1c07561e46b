"""What happens in the UDI and the limiter, told to all listeners of a process over one connection to Redis.

Both write what happens to a stream of Redis. One task reads both into a ring and hands each event to every listener.
One that does not keep up is dropped, and comes back to where it was by the id of its last event, which is made of the
places in both streams.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import signal
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import Redis
from redis.exceptions import RedisError

from account_limiter import connect_async, events_key
from streamflow.udi.redis.store import EVENTS as UDI_EVENTS

log = logging.getLogger(__name__)

SOURCES = (UDI_EVENTS, events_key())
# Both streams keep about 2,000 events: the ring holds what they do.
KEPT = 4000
# Far below what a listener may be behind: whoever keeps up takes them between two readings.
READ_AT_ONCE = 100
BLOCK_SECONDS = 1.0
RETRY_SECONDS = 1.0
LINGER_SECONDS = 3.0
# A listener so many events behind is too slow.
BEHIND = 1000

Connect = Callable[[], Awaitable[Redis]]
Place = tuple[int, int]
Places = tuple[Place, Place]
START: Places = ((0, 0), (0, 0))

_ID = re.compile(r"(\d{1,18})-(\d{1,18})_(\d{1,18})-(\d{1,18})")


def places_of(last_event_id: str | None) -> Places | None:
    """The places in both streams that an id stands for; None for what is no id of ours."""
    found = _ID.fullmatch(last_event_id or "")
    if not found:
        return None
    a, b, c, d = map(int, found.groups())
    return (a, b), (c, d)


def id_of(places: Places) -> str:
    return "_".join(f"{at}-{number}" for at, number in places)


@dataclass(frozen=True)
class Event:
    """``name`` is ``lease``, ``progress``, ``result`` or ``run``; ``places`` is where both streams are after it."""

    name: str
    data: str
    source: int
    places: Places

    @property
    def id(self) -> str:
        return id_of(self.places)


def event(source: int, fields: Mapping[bytes, bytes], places: Places) -> Event:
    """An entry of one of the streams as its listeners know it."""
    if SOURCES[source] == UDI_EVENTS:
        # A finished channel is a step of its run.
        name = fields[b"type"].decode()
        return Event("run" if name == "channel" else name, fields[b"json"].decode(), source, places)
    labels = json.loads(fields[b"info"] or b"{}")
    told = {"kind": fields[b"kind"].decode(), "lease_id": fields[b"lease_id"].decode(), **labels}
    return Event("lease", json.dumps(told), source, places)


class Subscriber:
    """Gets each event after ``begin`` once, in order, unless it is too slow: then it has ``ended``."""

    def __init__(self, begin: Places, missed: Iterable[Event]) -> None:
        self.begin = begin
        self.ended = False
        self._missed = list(missed)
        self._new: list[Event] = []
        self._told = asyncio.Event()

    def tell(self, event: Event) -> None:
        if len(self._new) >= BEHIND:
            self.end()
        elif not self.ended:
            self._new.append(event)
            self._told.set()

    def end(self) -> None:
        """No more events; those not taken yet are let go, to be asked for again."""
        self.ended = True
        self._new.clear()
        self._told.set()

    async def take(self, quiet: float) -> list[Event]:
        """All events not taken yet; none after ``quiet`` seconds without one, and at the end."""
        if not self._missed and not self.ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(quiet):
                    await self._told.wait()
        self._told.clear()
        taken, self._missed, self._new = self._missed + self._new, [], []
        return taken


class EventFeed:
    """The events of one event loop. It reads while somebody listens, and keeps trying while Redis is away."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._listeners: set[Subscriber] = set()
        self._ring: deque[Event] = deque(maxlen=KEPT)
        self._places = START
        self._filled = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._listeners)

    @asynccontextmanager
    async def listening(self, after: Places | None) -> AsyncIterator[Subscriber]:
        """A listener to what happens after some places, by default to what happens from now on."""
        if self._reading is None:
            self._filled = asyncio.Event()
            self._reading = asyncio.create_task(self._read())
        await self._filled.wait()
        # No await between the ring and the listeners: nothing is missed and nothing told twice.
        missed = [] if after is None else [one for one in self._ring if one.places[one.source] > after[one.source]]
        listener = Subscriber(after or self._places, missed)
        self._listeners.add(listener)
        if self._reading is None:
            listener.end()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def _read(self) -> None:
        redis: Redis | None = None
        idle = 0.0
        try:
            while idle < LINGER_SECONDS:
                try:
                    redis = redis or await self._connect()
                    await self._take(redis)
                except (RedisError, OSError) as error:
                    log.warning("no events while Redis is away: %s", error)
                    self._filled.set()
                    await asyncio.sleep(RETRY_SECONDS)
                if stopping():
                    break
                if self._filled.is_set():
                    idle = 0.0 if self._listeners else idle + BLOCK_SECONDS
        finally:
            for listener in self._listeners:
                listener.end()
            self._ring.clear()
            self._places = START
            self._reading = None
            self._filled.set()
            if redis is not None:
                await redis.aclose()

    async def _take(self, redis: Redis) -> None:
        """Read what there is; waits for something new when everything is read."""
        since: Any = {name: f"{at}-{number}" for name, (at, number) in zip(SOURCES, self._places, strict=True)}
        block = int(BLOCK_SECONDS * 1000) if self._filled.is_set() else None
        found: Any = await redis.xread(since, count=READ_AT_ONCE, block=block)
        if not found:
            self._filled.set()
        for name, entries in found:
            self._note(SOURCES.index(name.decode()), entries)

    def _note(self, source: int, entries: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> None:
        for number, fields in entries:
            at, _, count = number.decode().partition("-")
            place = (int(at), int(count))
            self._places = (place, self._places[1]) if source == 0 else (self._places[0], place)
            told = event(source, fields, self._places)
            self._ring.append(told)
            for listener in self._listeners:
                listener.tell(told)


def stopping() -> bool:
    """Whether the server has been asked to stop: it waits for every answer's end, and a stream of events has none."""
    server: Any = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, EventFeed] = WeakKeyDictionary()


def events() -> EventFeed:
    """The events of this process' event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _of_loops:
        _of_loops[loop] = EventFeed(connect_async)
    return _of_loops[loop]
