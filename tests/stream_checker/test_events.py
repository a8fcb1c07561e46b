"""Server-sent events: their names and ids, coming back, slow listeners, many listeners, and the end."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import httpx
import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from account_limiter import Lease, Limiter
from stream_checker.events.feed import UDI_EVENTS, EventFeed, Subscriber
from stream_checker.routes import events as route
from streamflow.udi import Udi

from .library import NOW, RUN, result
from .server import Server

Told = dict[str, Any]


@contextmanager
def listening(client: httpx.Client, last: str | None = None) -> Iterator[Iterator[Told]]:
    """The events as a browser sees them; the first is where the listener is."""
    headers = {"Last-Event-ID": last} if last else {}
    with client.stream("GET", "/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield parsed(answer.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[Told]:
    told: Told = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            told[name] = json.loads(value) if name == "data" else value
        elif told:
            yield told
            told = {}


def next_of(name: str, told: Iterator[Told]) -> Told:
    return next(one for one in told if one.get("event") == name)


def test_what_happens_is_told_with_its_name(admin: httpx.Client, udi: Udi, limiter: Limiter, lease: Lease) -> None:
    with listening(admin) as told:
        first = next(told)
        assert "event" not in first
        assert re.fullmatch(r"\d+-\d+_\d+-\d+", first["id"])
        limiter.release(lease)
        released = next_of("lease", told)["data"]
        assert (released["kind"], released["lease_id"], released["stream_id"]) == ("released", "lease-4", 4)
        udi.progress.publish(5, {"seconds": 1.0})
        assert next_of("progress", told)["data"] == {"stream_id": 5, "state": {"seconds": 1.0}}
        udi.runs.settle(RUN, result(4, run_id=RUN, checked_at=NOW))
        settled = next_of("result", told)["data"]
        assert (settled["stream_id"], settled["verdict"]) == (4, "ok")
        udi.runs.close(RUN, {"streams": 6}, NOW)
        assert next_of("run", told)["data"]["run_id"] == RUN


def test_a_listener_comes_back_to_where_it_was(admin: httpx.Client, udi: Udi, limiter: Limiter, lease: Lease) -> None:
    with listening(admin) as told:
        next(told)
        udi.progress.publish(5, {"seconds": 1.0})
        last = next_of("progress", told)["id"]
    udi.progress.publish(5, {"seconds": 2.0})
    limiter.release(lease)
    udi.progress.publish(5, {"seconds": 3.0})
    with listening(admin, last) as told:
        assert next(told)["id"] == last
        missed = [next(told) for _ in range(3)]
        assert [one["data"]["state"]["seconds"] for one in missed if one["event"] == "progress"] == [2.0, 3.0]
        assert [one["data"]["kind"] for one in missed if one["event"] == "lease"] == ["released"]
    with listening(admin, "nonsense") as told:
        next(told)
        udi.progress.publish(5, {"seconds": 4.0})
        assert next(told)["data"]["state"]["seconds"] == 4.0


def test_no_event_holds_a_url_or_a_password(admin: httpx.Client, udi: Udi) -> None:
    with admin.stream("GET", "/events", headers={"Last-Event-ID": "0-0_0-0"}) as answer:
        text = ""
        for part in answer.iter_text():
            text += part
            if "phase" in text:
                break
    assert "event: result" in text
    assert "hunter2" not in text
    assert "provider.invalid" not in text


def readers(redis_client: Redis) -> int:
    return sum(client["cmd"] == "xread" for client in redis_client.client_list())


def until(true: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_all_listeners_share_one_connection_which_ends_after_the_last(
    admin: httpx.Client, server: Server, udi: Udi, redis_client: Redis
) -> None:
    with server.client("reader") as reader, listening(admin) as one, listening(reader) as other:
        next(one), next(other)
        udi.progress.publish(5, {"seconds": 1.0})
        assert next_of("progress", one) == next_of("progress", other)
        assert readers(redis_client) == 1
    until(lambda: readers(redis_client) == 0)


async def test_five_hundred_browsers_hear_an_event_over_one_connection_past_slow_ones(
    server: Server, udi: Udi, redis_client: Redis
) -> None:
    headers = {"Authorization": f"Bearer {server.token('reader')}"}
    limits = httpx.Limits(max_connections=None)
    address = f"{server.address}/api/stream-checker"
    async with (
        httpx.AsyncClient(base_url=address, headers=headers, limits=limits, timeout=60) as client,
        AsyncExitStack() as stack,
        asyncio.timeout(60),
    ):
        answers = [await stack.enter_async_context(client.stream("GET", "/events"))]
        await asyncio.to_thread(until, lambda: readers(redis_client) == 1)
        connections = len(redis_client.client_list())
        answers += [await stack.enter_async_context(client.stream("GET", "/events")) for _ in range(499)]
        assert {answer.status_code for answer in answers} == {200}
        assert len(redis_client.client_list()) == connections
        await asyncio.to_thread(tell, redis_client, 1)
        # Every tenth reads nothing until the others have heard.
        slow, quick = answers[::10], [answer for i, answer in enumerate(answers) if i % 10]
        assert await asyncio.gather(*map(heard, quick)) == [0] * len(quick)
        assert readers(redis_client) == 1
        assert await asyncio.gather(*map(heard, slow)) == [0] * len(slow)
    await asyncio.to_thread(until, lambda: readers(redis_client) == 0)


async def test_one_that_takes_nothing_while_much_happens_is_ended_and_comes_back_to_where_it_was(
    server: Server, udi: Udi, redis_client: Redis
) -> None:
    headers = {"Authorization": f"Bearer {server.token('reader')}"}
    address = f"{server.address}/api/stream-checker"
    number, size = 1500, 16_000
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client, asyncio.timeout(60):
        async with client.stream("GET", "/events") as slow, client.stream("GET", "/events") as quick:
            hearing = asyncio.create_task(numbers(quick, number))
            await asyncio.to_thread(until, lambda: readers(redis_client) == 1)
            for begin in range(0, number, 50):
                await asyncio.to_thread(tell, redis_client, 50, begin, "x" * size)
            # More than fits into the sockets between: the slow one holds up nobody.
            found, _ = await hearing
            assert found == list(range(number))
            found, last = await numbers(slow, number)
            assert 0 < len(found) < number
        async with client.stream("GET", "/events", headers={"Last-Event-ID": last}) as again:
            more, _ = await numbers(again, number - len(found))
            assert found + more == list(range(number))


async def test_a_stuck_socket_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "STUCK_SECONDS", 0.05)
    sent, left = [], asyncio.Event()

    async def told() -> AsyncIterator[str]:
        try:
            while True:
                yield "data: 1\n\n"
        finally:
            left.set()

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if len(sent) > 3:
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
    async with asyncio.timeout(5):
        await route.EventStream(told())(scope, receive, send)
        await left.wait()
    assert sent == ["http.response.start", *["http.response.body"] * 3]


async def numbers(answer: httpx.Response, most: int) -> tuple[list[int], str]:
    """What up to ``most`` events tell, as :func:`tell` gave it, and the id of the last."""
    found: list[int] = []
    last = name = ""
    async for line in answer.aiter_lines():
        key, _, value = line.partition(": ")
        if key == "id":
            last = value
        elif key == "event":
            name = value
        elif key == "data" and name == "progress":
            found.append(int(json.loads(value)["i"]))
            if len(found) == most:
                break
    return found, last


async def heard(answer: httpx.Response) -> int:
    """The number that the first event tells."""
    return (await numbers(answer, 1))[0][0]


# -- the reader itself, on an event loop of the test ---------------------------------------------


@pytest.fixture
async def source(redis_url: str) -> AsyncIterator[EventFeed]:
    async def connect() -> AsyncRedis:
        return AsyncRedis(unix_socket_path=redis_url.removeprefix("unix://"), socket_timeout=4)

    yield EventFeed(connect)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


def tell(redis: Redis, number: int, begin: int = 0, more: str = "") -> None:
    with redis.pipeline() as batch:
        for i in range(begin, begin + number):
            batch.xadd(UDI_EVENTS, {"type": "progress", "json": json.dumps({"i": i, "more": more})})
        batch.execute()


async def told_of(listener: Subscriber, number: int) -> list[int]:
    found: list[int] = []
    while len(found) < number and not listener.ended:
        found += [json.loads(one.data)["i"] for one in await listener.take(30)]
    return found


async def test_five_hundred_listeners_hear_everything(source: EventFeed, redis_client: Redis) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        listeners = [await stack.enter_async_context(source.listening(None)) for _ in range(500)]
        hearing = [asyncio.create_task(told_of(listener, 300)) for listener in listeners]
        await asyncio.to_thread(tell, redis_client, 300)
        assert all(found == list(range(300)) for found in await asyncio.gather(*hearing))
        assert len(source) == 500
        assert readers(redis_client) == 1
    assert len(source) == 0


async def test_a_slow_listener_is_dropped_and_comes_back(source: EventFeed, redis_client: Redis) -> None:
    async with source.listening(None) as slow, source.listening(None) as quick, asyncio.timeout(20):
        hearing = asyncio.create_task(told_of(quick, 1500))
        await asyncio.to_thread(tell, redis_client, 1500)
        assert await hearing == list(range(1500))
        assert slow.ended
        assert await slow.take(30) == []
        async with source.listening(slow.begin) as again:
            assert await told_of(again, 1500) == list(range(1500))


async def test_silence_is_no_end_and_redis_may_be_away(own_redis: Any) -> None:
    async def connect() -> AsyncRedis:
        return AsyncRedis(unix_socket_path=str(own_redis.socket), socket_timeout=2)

    own_redis.kill()
    async with EventFeed(connect).listening(None) as listener, asyncio.timeout(20):
        assert await listener.take(0.05) == []
        assert not listener.ended
        await asyncio.to_thread(own_redis.start)
        with own_redis.client() as client:
            tell(client, 1)
        assert await told_of(listener, 1) == [0]
