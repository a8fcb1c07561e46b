"""All waiters of one process over one subscription and one command connection, whatever their number."""

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

from account_limiter.airflow.connection import DEFAULT_CONNECTION_ID, connect_async
from account_limiter.core.records import Queued, Refused, Request
from account_limiter.redis import transitions
from account_limiter.redis.library import DEFAULT_PREFIX, library, run_async

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
TOUCH_SECONDS = 10.0
# A transition blocks Redis for its whole duration.
WAITERS_PER_TOUCH = 100
# Waiters are released as "unavailable" when Redis fails for longer.
ABSENCE_SECONDS = 30.0
LINGER_SECONDS = 10.0
RETRY_SECONDS = 0.5

Connect = Callable[[], Awaitable[Redis]]


@dataclass(frozen=True)
class WaitResult:
    """End of a wait.

    :param status: ``granted``, ``called`` (a slot is about to become free), ``refused`` or ``unavailable``.
    :param rank: place in the queue, which a later request may take again.
    :param reason: reason of ``refused`` or ``unavailable``.
    """

    status: str
    rank: str
    reason: str = ""


@dataclass
class _Waiter:
    request: Request
    rank: str
    result: asyncio.Future[WaitResult]

    def end(self, status: str, reason: str = "") -> None:
        if not self.result.done():
            self.result.set_result(WaitResult(status, self.rank, reason))


class Hub:
    """Waits for the grants of many requests. It runs while there are waiters.

    An error of any kind ends one round of the hub, which starts the next one after a pause. Waiters are released as
    ``unavailable`` when all rounds of ``ABSENCE_SECONDS`` have failed. A request that cannot be sent is refused alone.

    :param connect: opens the client of Redis.
    :param prefix: beginning of the limiter's keys.
    """

    def __init__(self, connect: Connect, prefix: str = DEFAULT_PREFIX) -> None:
        self._connect = connect
        self._library = library(prefix)
        self._redis: Redis | None = None
        self._connecting = asyncio.Lock()
        self._command = asyncio.Lock()
        self._waiters: dict[str, _Waiter] = {}
        self._new: deque[_Waiter] = deque()
        self._tasks: list[asyncio.Task[None]] = []
        self._soon = asyncio.Event()
        self._failing_since: float | None = None
        self._touched_at = 0.0

    async def wait(self, request: Request, rank: str = "") -> WaitResult:
        """Queue the request and wait for the end of its wait. A cancelled wait keeps its place in the queue.

        :param rank: place in the queue that the request had before.
        """
        # The hub's own task sends the commands: redis-py can swallow a cancellation while it connects.
        waiter = _Waiter(request, rank, asyncio.get_running_loop().create_future())
        self._waiters[request.lease_id] = waiter
        self._new.append(waiter)
        self._start()
        try:
            return await waiter.result
        finally:
            if self._waiters.get(request.lease_id) is waiter:
                del self._waiters[request.lease_id]

    async def drop(self, lease_id: str) -> None:
        """Remove a waiter or its unclaimed grant.

        :raises LimiterUnavailable: while Redis is away.
        """
        await self._run("release", [lease_id, "", "", ""])

    async def close(self) -> None:
        """End the background tasks and close the connections."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._redis:
            redis, self._redis = self._redis, None
            await redis.aclose()

    def _start(self) -> None:
        self._soon.set()
        if not self._tasks or any(task.done() for task in self._tasks):
            for task in self._tasks:
                task.cancel()
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._pulse())]

    async def _client(self) -> Redis:
        async with self._connecting:
            if self._redis is None:
                self._redis = await self._connect()
            return self._redis

    async def _run(self, transition: str, args: Sequence[Any] = ()) -> Any:
        async with self._command:
            return await run_async(await self._client(), self._library, transition, args)

    async def _listen(self) -> None:
        """Receive grants. After every gap of the subscription, all waiters are checked."""
        while not _cancelled():
            try:
                redis = await self._client()
                async with redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self._library.channel)
                    self._touch_soon()
                    while not _cancelled():
                        message = await channel.get_message(timeout=TOUCH_SECONDS)
                        if message:
                            self._receive(message["data"])
            except Exception as error:  # noqa: BLE001 - no error may end the hub; the rounds poll meanwhile
                log.debug("The subscription ended: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    def _receive(self, data: bytes | str) -> None:
        text = data.decode() if isinstance(data, bytes) else data
        *called, lease_id = text.rsplit("|", 1)
        if waiter := self._waiters.get(lease_id):
            waiter.end("called" if called else "granted")
        elif not lease_id:
            self._touch_soon()

    def _touch_soon(self) -> None:
        self._touched_at = 0.0
        self._soon.set()

    async def _pulse(self) -> None:
        """Run a round at every poll until there has been no waiter for ``LINGER_SECONDS``."""
        idle_since = time.monotonic()
        while not _cancelled():
            self._soon.clear()
            try:
                pause = await self._round()
                self._failing_since = None
            except Exception as error:  # noqa: BLE001 - no error may end the hub
                pause = RETRY_SECONDS
                self._note_failure(error)
            if self._waiters:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > LINGER_SECONDS:
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

    async def _round(self) -> float:
        """Enqueue new waiters, let time pass in the limiter, and keep the waiters alive there.

        :returns: seconds until the next round.
        """
        await self._enqueue_new()
        tick = transitions.ticked(await self._run("tick"))
        for lease_id in tick.granted:
            if waiter := self._waiters.get(lease_id):
                waiter.end("granted")
        if time.monotonic() - self._touched_at >= TOUCH_SECONDS:
            await self._touch()
            self._touched_at = time.monotonic()
        return POLL_SECONDS if tick.due is None else min(POLL_SECONDS, tick.due + 0.005)

    def _waits(self, waiter: _Waiter) -> bool:
        """Return whether the waiter has not been cancelled."""
        return self._waiters.get(waiter.request.lease_id) is waiter

    async def _enqueue_new(self) -> None:
        while self._new:
            waiter = self._new[0]
            if self._waits(waiter):
                await self._enqueue(waiter)
            self._new.popleft()

    async def _enqueue(self, waiter: _Waiter) -> None:
        try:
            reply = await self._run("enqueue", transitions.enqueue_args(waiter.request, waiter.rank))
        except (ArithmeticError, TypeError, ValueError) as error:
            # The request itself is wrong: the other waiters go on.
            log.warning("Lease %r cannot be requested: %s", waiter.request.lease_id, error)
            waiter.end("refused", f"invalid request: {error}")
            return
        match transitions.enqueued(reply):
            case Queued(rank=rank):
                waiter.rank = rank
            case Refused(reason):
                waiter.end("refused", reason)
            case _:
                waiter.end("granted")

    async def _touch(self) -> None:
        waiters = list(self._waiters.values())
        for i in range(0, len(waiters), WAITERS_PER_TOUCH):
            batch = waiters[i : i + WAITERS_PER_TOUCH]
            states = await self._run("touch", [waiter.request.lease_id for waiter in batch])
            for waiter, state in zip(batch, states, strict=True):
                match state.decode():
                    case "waiting":
                        continue
                    case "gone" if self._waits(waiter):
                        await self._enqueue(waiter)
                    case "gone":
                        continue
                    case "granted" | "held":
                        waiter.end("granted")
                    case reason:
                        waiter.end("refused", reason)

    def _note_failure(self, error: Exception) -> None:
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            log.warning("The limiter fails, %d waiters stay and try again: %s", len(self._waiters), error)
        elif time.monotonic() - self._failing_since >= ABSENCE_SECONDS:
            for waiter in self._waiters.values():
                waiter.end("unavailable", str(error))


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Hub]] = WeakKeyDictionary()


def hub(connection_id: str = DEFAULT_CONNECTION_ID, prefix: str = DEFAULT_PREFIX) -> Hub:
    """Return the hub of this event loop for one connection and prefix."""
    hubs = _hubs.setdefault(asyncio.get_running_loop(), {})
    if (connection_id, prefix) not in hubs:
        hubs[connection_id, prefix] = Hub(lambda: connect_async(connection_id), prefix)
    return hubs[connection_id, prefix]
