"""Server-sent events: names and ids, continuing, slow clients, many clients, and the end of a stream."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from redis import Redis

from account_limiter import Lease, Limiter, MachineLoad, Request
from stream_checker.events.entries import LIMITER_EVENTS, UDI_EVENTS
from stream_checker.routes import events as route
from streamflow.udi import Udi

from ..library import NOW, RUN, result
from ..server import VIEWERS, Server

Fields = dict[str, Any]
CLIENTS = route.SEATS_PER_USER * len(VIEWERS)


@contextmanager
def open_stream(client: httpx.Client, last_event_id: str | None = None) -> Iterator[Iterator[Fields]]:
    """Open a stream of events as a browser does; the first event holds only the position."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    with client.stream("GET", "/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield parse(response.iter_lines())


def parse(lines: Iterator[str]) -> Iterator[Fields]:
    fields: Fields = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = json.loads(value) if name == "data" else value
        elif fields:
            yield fields
            fields = {}


def next_of(name: str, stream: Iterator[Fields]) -> Fields:
    return next(event for event in stream if event.get("event") == name)


def readers(redis_client: Redis) -> int:
    return sum(client["cmd"] == "xread" for client in redis_client.client_list())


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_each_event_has_its_name(admin: httpx.Client, udi: Udi, limiter: Limiter, lease: Lease) -> None:
    with open_stream(admin) as stream:
        first = next(stream)
        assert "event" not in first
        assert re.fullmatch(r"\d+-\d+_\d+-\d+", first["id"])
        limiter.release(lease)
        released = next_of("lease", stream)["data"]
        assert (released["kind"], released["lease_id"], released["stream_id"]) == ("released", "lease-4", 4)
        udi.progress.publish(5, {"seconds": 1.0})
        assert next_of("progress", stream)["data"] == {"stream_id": 5, "state": {"seconds": 1.0}}
        udi.runs.settle(RUN, result(4, run_id=RUN, checked_at=NOW))
        settled = next_of("result", stream)["data"]
        assert (settled["stream_id"], settled["verdict"]) == (4, "ok")
        udi.runs.close(RUN, {"streams": 6}, NOW)
        assert next_of("run", stream)["data"]["run_id"] == RUN


def claim(limiter: Limiter, lease: Lease) -> None:
    limiter.claim("account-1", limit=3, elsewhere=1, words='the panel says "max_connections" 3')


def adapt(limiter: Limiter, lease: Lease) -> None:
    limiter.adapt(MachineLoad(load=9.0, memory=0.05), floor=1, ceiling=10)


def expire(limiter: Limiter, lease: Lease) -> None:
    # A lease lives for at least a second.
    limiter.configure(lease_ttl=1)
    limiter.renew(lease)
    time.sleep(1.1)
    limiter.tick()


TRANSITIONS: dict[str, Callable[[Limiter, Lease], object]] = {
    "acquired": lambda limiter, lease: limiter.acquire(Request("other", 3), "holder"),
    "released": lambda limiter, lease: limiter.release(lease),
    "dropped": lambda limiter, lease: limiter.drop("lease-6"),
    "busy": lambda limiter, lease: limiter.report_busy(lease, retry_after=1),
    "suspected": lambda limiter, lease: limiter.suspect_busy(lease, retry_after=1),
    "reset": lambda limiter, lease: limiter.reset(),
    "claimed": claim,
    "adapted": adapt,
    "expired": expire,
}


@pytest.mark.parametrize("kind", TRANSITIONS)
def test_the_stream_goes_on_after_each_transition_of_the_limiter(
    admin: httpx.Client, udi: Udi, limiter: Limiter, lease: Lease, redis_client: Redis, kind: str
) -> None:
    with open_stream(admin) as stream:
        position = next(stream)["id"]
        TRANSITIONS[kind](limiter, lease)
        entries = redis_client.xrevrange(LIMITER_EVENTS)
        assert kind in {fields[b"kind"].decode() for _, fields in entries}
        udi.progress.publish(5, {"seconds": 1.0})
        events = [next(stream)]
        while events[-1]["event"] != "progress":
            events.append(next(stream))
        assert kind in {event["data"].get("kind") for event in events}
    with open_stream(admin, position) as stream:
        assert next_of("progress", stream)["data"]["stream_id"] == 5


def test_a_client_continues_after_its_last_event(admin: httpx.Client, udi: Udi, limiter: Limiter, lease: Lease) -> None:
    with open_stream(admin) as stream:
        next(stream)
        udi.progress.publish(5, {"seconds": 1.0})
        last = next_of("progress", stream)["id"]
    udi.progress.publish(5, {"seconds": 2.0})
    limiter.release(lease)
    udi.progress.publish(5, {"seconds": 3.0})
    with open_stream(admin, last) as stream:
        assert next(stream)["id"] == last
        missed = [next(stream) for _ in range(3)]
        assert [one["data"]["state"]["seconds"] for one in missed if one["event"] == "progress"] == [2.0, 3.0]
        assert [one["data"]["kind"] for one in missed if one["event"] == "lease"] == ["released"]
    with open_stream(admin, "nonsense") as stream:
        next(stream)
        udi.progress.publish(5, {"seconds": 4.0})
        assert next(stream)["data"]["state"]["seconds"] == 4.0


def test_no_event_holds_a_url_or_a_password(admin: httpx.Client, udi: Udi) -> None:
    with admin.stream("GET", "/events", headers={"Last-Event-ID": "0-0_0-0"}) as response:
        text = ""
        for part in response.iter_text():
            text += part
            if "phase" in text:
                break
    assert "event: result" in text
    assert "hunter2" not in text
    assert "provider.invalid" not in text


def test_all_clients_share_one_connection_which_ends_after_the_last(
    admin: httpx.Client, server: Server, udi: Udi, redis_client: Redis
) -> None:
    with server.client("reader") as reader, open_stream(admin) as one, open_stream(reader) as other:
        next(one), next(other)
        udi.progress.publish(5, {"seconds": 1.0})
        assert next_of("progress", one) == next_of("progress", other)
        assert readers(redis_client) == 1
    wait_until(lambda: readers(redis_client) == 0)


def test_a_user_with_all_its_seats_leaves_the_others_theirs(admin: httpx.Client, server: Server, udi: Udi) -> None:
    with server.client("reader") as reader, ExitStack() as stack:
        streams = [stack.enter_context(open_stream(reader)) for _ in range(route.SEATS_PER_USER)]
        assert all("id" in next(stream) for stream in streams)
        refused = reader.get("/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        assert refused.headers["content-type"] == "application/problem+json"
        with open_stream(admin) as stream:
            assert "id" in next(stream)
    with server.client("reader") as reader:

        def has_a_seat() -> bool:
            with reader.stream("GET", "/events") as response:
                return response.status_code == 200

        wait_until(has_a_seat)


async def test_many_clients_receive_an_event_over_one_connection_while_some_are_slow(
    server: Server, udi: Udi, redis_client: Redis
) -> None:
    limits = httpx.Limits(max_connections=None)
    address = f"{server.address}/api/stream-checker"
    headers = [{"Authorization": f"Bearer {server.token(VIEWERS[i % len(VIEWERS)])}"} for i in range(CLIENTS)]
    async with (
        httpx.AsyncClient(base_url=address, limits=limits, timeout=60) as client,
        AsyncExitStack() as stack,
        asyncio.timeout(60),
    ):
        responses = [await stack.enter_async_context(client.stream("GET", "/events", headers=headers[0]))]
        await asyncio.to_thread(wait_until, lambda: readers(redis_client) == 1)
        connections = len(redis_client.client_list())
        responses += [
            await stack.enter_async_context(client.stream("GET", "/events", headers=one)) for one in headers[1:]
        ]
        assert {response.status_code for response in responses} == {200}
        assert len(redis_client.client_list()) == connections
        await asyncio.to_thread(append_events, redis_client, 1)
        # Every tenth client reads nothing until the others have received the event.
        slow, quick = responses[::10], [response for i, response in enumerate(responses) if i % 10]
        assert await asyncio.gather(*map(first_number, quick)) == [0] * len(quick)
        assert readers(redis_client) == 1
        assert await asyncio.gather(*map(first_number, slow)) == [0] * len(slow)
    await asyncio.to_thread(wait_until, lambda: readers(redis_client) == 0)


async def test_a_client_that_reads_nothing_is_ended_and_continues_later(
    server: Server, udi: Udi, redis_client: Redis
) -> None:
    headers = {"Authorization": f"Bearer {server.token('reader')}"}
    address = f"{server.address}/api/stream-checker"
    number, size = 2500, 16_000
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client, asyncio.timeout(60):
        async with client.stream("GET", "/events") as slow, client.stream("GET", "/events") as quick:
            reading = asyncio.create_task(read_numbers(quick, number))
            await asyncio.to_thread(wait_until, lambda: readers(redis_client) == 1)
            for begin in range(0, number, 50):
                await asyncio.to_thread(append_events, redis_client, 50, begin, "x" * size)
            # The events exceed the buffers of the sockets, and still the slow client delays nobody.
            numbers, _ = await reading
            assert numbers == list(range(number))
            numbers, last = await read_numbers(slow, number)
            assert 0 < len(numbers) < number
        async with client.stream("GET", "/events", headers={"Last-Event-ID": last}) as again:
            more, _ = await read_numbers(again, number - len(numbers))
            assert numbers + more == list(range(number))


async def test_a_stuck_connection_is_closed_and_its_seat_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "STUCK_SECONDS", 0.05)
    sent, generator_ended, seat_given_back = [], asyncio.Event(), asyncio.Event()

    async def lines() -> AsyncIterator[str]:
        try:
            while True:
                yield "data: 1\n\n"
        finally:
            generator_ended.set()

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if len(sent) > 3:
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
    async with asyncio.timeout(5):
        await route.EventStream(lines(), seat_given_back.set)(scope, receive, send)
        await generator_ended.wait()
        await seat_given_back.wait()
    assert sent == ["http.response.start", *["http.response.body"] * 3]


def append_events(redis: Redis, number: int, begin: int = 0, padding: str = "") -> None:
    with redis.pipeline() as pipeline:
        for i in range(begin, begin + number):
            pipeline.xadd(UDI_EVENTS, {"type": "progress", "json": json.dumps({"i": i, "padding": padding})})
        pipeline.execute()


async def read_numbers(response: httpx.Response, most: int) -> tuple[list[int], str]:
    """Return the numbers of up to ``most`` events that :func:`append_events` appended, and the id of the last."""
    numbers: list[int] = []
    last = name = ""
    async for line in response.aiter_lines():
        key, _, value = line.partition(": ")
        if key == "id":
            last = value
        elif key == "event":
            name = value
        elif key == "data" and name == "progress":
            numbers.append(int(json.loads(value)["i"]))
            if len(numbers) == most:
                break
    return numbers, last


async def first_number(response: httpx.Response) -> int:
    return (await read_numbers(response, 1))[0][0]
