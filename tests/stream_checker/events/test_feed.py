"""The distribution of events to subscribers, on an event loop of the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from stream_checker.events.entries import LIMITER_EVENTS, UDI_EVENTS
from stream_checker.events.feed import EventFeed, Subscriber


@pytest.fixture
async def feed(redis_url: str) -> AsyncIterator[EventFeed]:
    async def connect() -> AsyncRedis:
        return AsyncRedis(unix_socket_path=redis_url.removeprefix("unix://"), socket_timeout=4)

    yield EventFeed(connect)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


def append_events(redis: Redis, number: int) -> None:
    with redis.pipeline() as pipeline:
        for index in range(number):
            pipeline.xadd(UDI_EVENTS, {"type": "progress", "json": json.dumps({"i": index})})
        pipeline.execute()


async def take(subscriber: Subscriber, number: int) -> list[int]:
    """Return the numbers of the next events, fewer if the subscriber ends."""
    numbers: list[int] = []
    while len(numbers) < number and not subscriber.ended:
        numbers += [json.loads(event.data)["i"] for event in await subscriber.take(30)]
    return numbers


async def test_five_hundred_subscribers_receive_everything_over_one_connection(
    feed: EventFeed, redis_client: Redis
) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        subscribers = [await stack.enter_async_context(feed.subscribe(None)) for _ in range(500)]
        tasks = [asyncio.create_task(take(subscriber, 300)) for subscriber in subscribers]
        await asyncio.to_thread(append_events, redis_client, 300)
        assert all(numbers == list(range(300)) for numbers in await asyncio.gather(*tasks))
        assert len(feed) == 500
        assert sum(client["cmd"] == "xread" for client in redis_client.client_list()) == 1
    assert len(feed) == 0


async def test_a_slow_subscriber_is_dropped_and_continues(feed: EventFeed, redis_client: Redis) -> None:
    async with feed.subscribe(None) as slow, feed.subscribe(None) as quick, asyncio.timeout(20):
        taking = asyncio.create_task(take(quick, 1500))
        await asyncio.to_thread(append_events, redis_client, 1500)
        assert await taking == list(range(1500))
        assert slow.ended
        assert await slow.take(30) == []
        async with feed.subscribe(slow.begin) as again:
            assert await take(again, 1500) == list(range(1500))


async def test_unreadable_entries_are_skipped_and_counted(feed: EventFeed, redis_client: Redis) -> None:
    async with feed.subscribe(None) as subscriber, asyncio.timeout(20):
        redis_client.xadd(UDI_EVENTS, {"type": "result", "json": "plain words"})
        redis_client.xadd(LIMITER_EVENTS, {"kind": "claimed", "lease_id": "a", "info": "plain words"})
        redis_client.xadd(LIMITER_EVENTS, {"unknown": "fields"})
        append_events(redis_client, 1)
        assert await take(subscriber, 1) == [0]
        assert feed.unreadable_entries == 3
        assert len(feed) == 1


async def test_silence_is_no_end_and_redis_may_be_unavailable(own_redis: Any) -> None:
    async def connect() -> AsyncRedis:
        return AsyncRedis(unix_socket_path=str(own_redis.socket), socket_timeout=2)

    own_redis.kill()
    async with EventFeed(connect).subscribe(None) as subscriber, asyncio.timeout(20):
        assert await subscriber.take(0.05) == []
        assert not subscriber.ended
        await asyncio.to_thread(own_redis.start)
        with own_redis.client() as client:
            append_events(client, 1)
        assert await take(subscriber, 1) == [0]
