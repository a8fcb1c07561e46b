"""All waiters of one process: one subscription and one command connection, whatever their number."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import Redis
from redis.exceptions import RedisError

from account_limiter.airflow.connection import connect_async
from account_limiter.core.errors import LimiterUnavailable
from account_limiter.core.records import Queued, Refused, Request
from account_limiter.redis import scripts, transitions

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
TOUCH_SECONDS = 10.0
TOUCHED_AT_ONCE = 500
# A Redis that stays away for longer is reported to the waiters.
ABSENCE_SECONDS = 30.0
LINGER_SECONDS = 10.0
_RETRY_SECONDS = 0.5

Connect = Callable[[], Awaitable[Redis]]


@dataclass(frozen=True)
class Outcome:
    """``status``: ``granted``, ``called`` (the slot is about to come free), ``refused`` with its ``reason``, or
    ``unavailable``. ``rank`` keeps the place in the queue."""

    status: str
    rank: str
    reason: str = ""


@dataclass
class _Waiter:
    request: Request
    rank: str
    outcome: asyncio.Future[Outcome]

    def end(self, status: str, reason: str = "") -> None:
        if not self.outcome.done():
            self.outcome.set_result(Outcome(status, self.rank, reason))


class Hub:
    """Waits for the grants of many. It runs while somebody waits, and keeps trying while Redis is away."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._redis: Redis | None = None
        self._waiters: dict[str, _Waiter] = {}
        self._new: deque[_Waiter] = deque()
        self._tasks: list[asyncio.Task[None]] = []
        self._command = asyncio.Lock()
        self._soon = asyncio.Event()
        self._away_since: float | None = None
        self._touched_at = 0.0

    async def wait(self, request: Request, rank: str = "") -> Outcome:
        """Queue, at ``rank`` if there was one, and wait for what comes of it. Cancelling leaves the place."""
        # The commands are left to the hub's own task: redis-py may swallow a cancellation that meets it connecting.
        waiter = _Waiter(request, rank, asyncio.get_running_loop().create_future())
        self._waiters[request.lease_id] = waiter
        self._new.append(waiter)
        self._start()
        try:
            return await waiter.outcome
        finally:
            if self._waiters.get(request.lease_id) is waiter:
                del self._waiters[request.lease_id]

    async def drop(self, lease_id: str) -> None:
        """Forget a waiter or its unclaimed grant. Raises LimiterUnavailable."""
        await self._run("release", [lease_id, "", "", ""])

    async def close(self) -> None:
        """End what runs in the background."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._redis:
            redis, self._redis = self._redis, None
            await redis.aclose()

    def _start(self) -> None:
        self._soon.set()
        if not any(not task.done() for task in self._tasks):
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._pulse())]

    async def _run(self, name: str, args: Sequence[Any] = ()) -> Any:
        async with self._command:
            if self._redis is None:
                self._redis = await self._connect()
            try:
                answer = await scripts.run_async(self._redis, name, args)
            except LimiterUnavailable:
                if self._away_since is None:
                    self._away_since = time.monotonic()
                    log.warning("Redis is away, %d waiters stay and try again", len(self._waiters))
                raise
            self._away_since = None
            return answer

    async def _welcome(self) -> None:
        """Enqueues who is new, and who is not yet because Redis was away."""
        while self._new:
            waiter = self._new[0]
            if self._waiters.get(waiter.request.lease_id) is waiter:
                await self._enqueue(waiter)
            self._new.popleft()

    async def _enqueue(self, waiter: _Waiter) -> None:
        answer = transitions.enqueued(await self._run("enqueue", transitions.enqueue_args(waiter.request, waiter.rank)))
        match answer:
            case Queued(rank=rank):
                waiter.rank = rank
            case Refused(reason):
                waiter.end("refused", reason)
            case _:
                waiter.end("granted")

    async def _listen(self) -> None:
        """Hears of grants. After every gap in hearing, all waiters are looked at."""
        while not _cancelled():
            try:
                redis = self._redis or await self._connect()
                self._redis = self._redis or redis
                async with redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(scripts.GRANTS)
                    self._touched_at = 0.0
                    self._soon.set()
                    while not _cancelled():
                        message = await channel.get_message(timeout=TOUCH_SECONDS)
                        if message:
                            self._heard(message["data"])
            except (RedisError, OSError) as error:
                log.debug("the subscription ended: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    def _heard(self, data: bytes | str) -> None:
        text = data.decode() if isinstance(data, bytes) else data
        *called, lease_id = text.rsplit("|", 1)
        if waiter := self._waiters.get(lease_id):
            waiter.end("called" if called else "granted")
        elif not lease_id:
            self._touched_at = 0.0
            self._soon.set()

    async def _pulse(self) -> None:
        """Lets time pass in the limiter, and keeps the waiters alive there."""
        empty_since: float | None = None
        while not _cancelled():
            pause = POLL_SECONDS
            self._soon.clear()
            try:
                await self._welcome()
                tick = transitions.ticked(await self._run("tick"))
                for lease_id in tick.granted:
                    if waiter := self._waiters.get(lease_id):
                        waiter.end("granted")
                if tick.due is not None:
                    pause = min(pause, tick.due + 0.005)
                if time.monotonic() - self._touched_at >= TOUCH_SECONDS:
                    await self._touch()
                    self._touched_at = time.monotonic()
            except LimiterUnavailable:
                pause = _RETRY_SECONDS
                self._report_absence()
            if self._waiters:
                empty_since = None
            elif empty_since is None:
                empty_since = time.monotonic()
            elif time.monotonic() - empty_since > LINGER_SECONDS:
                asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self._retire()))
                return
            if _cancelled():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._soon.wait()

    async def _retire(self) -> None:
        if not self._waiters:
            await self.close()

    async def _touch(self) -> None:
        waiters = list(self._waiters.values())
        for i in range(0, len(waiters), TOUCHED_AT_ONCE):
            some = waiters[i : i + TOUCHED_AT_ONCE]
            states = await self._run("touch", [waiter.request.lease_id for waiter in some])
            for waiter, state in zip(some, states, strict=True):
                match state.decode():
                    case "waiting":
                        continue
                    case "gone":
                        await self._enqueue(waiter)
                    case "granted" | "held":
                        waiter.end("granted")
                    case reason:
                        waiter.end("refused", reason)

    def _report_absence(self) -> None:
        if self._away_since is None or time.monotonic() - self._away_since < ABSENCE_SECONDS:
            return
        for waiter in self._waiters.values():
            waiter.end("unavailable")


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of this process' event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(connect_async)
    return _hubs[loop]
