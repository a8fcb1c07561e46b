"""Waiters that are called shortly before a slot becomes free. The test moves the clock of Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from account_limiter import AccountLimit, Lease, Limiter, Queued, Request
from account_limiter.redis.library import library

Take = Callable[..., Lease]
RequestOf = Callable[..., Request]
Heard = Callable[[], list[str]]


@pytest.fixture
def limiter(clock: Any, limiter: Limiter) -> Limiter:
    """A limiter with a high global limit, so that only accounts are full."""
    limiter.configure(global_limit=20, lease_ttl=60)
    return limiter


@pytest.fixture
def heard(redis_client: Redis) -> Iterator[Heard]:
    """Return a function that returns the messages to waiters since its last call."""
    with redis_client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(library().channel)
        channel.get_message(timeout=1)

        def listen() -> list[str]:
            messages = iter(lambda: channel.get_message(timeout=0.02), None)
            return [message["data"].decode() for message in messages if message["type"] == "message"]

        yield listen


def wait(limiter: Limiter, *requests: Request) -> None:
    for request in requests:
        limiter.acquire(request, "w")


def test_the_next_waiter_is_called_shortly_before_a_slot_is_due_and_granted_when_it_is_free(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, heard: Heard
) -> None:
    lease = take(1, expected_seconds=10)
    first, second = request_of(1), request_of(1)
    wait(limiter, first, second)
    assert limiter.tick().due == 8.5
    clock.move(8.4)
    limiter.tick()
    assert heard() == []
    clock.move(0.1)
    limiter.tick()
    limiter.tick()
    assert heard() == [f"called|{first.lease_id}"]
    clock.move(1.5)
    limiter.release(lease)
    assert heard() == [first.lease_id]


def test_no_more_are_called_than_slots_are_about_to_come_free(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, heard: Heard
) -> None:
    limiter.configure(accounts=[AccountLimit(1, limit=3)], called_limit=9)
    take(1, expected_seconds=10), take(1, expected_seconds=10), take(1, expected_seconds=20)
    waiters = [request_of(1) for _ in range(4)]
    wait(limiter, *waiters)
    clock.move(9)
    limiter.tick()
    assert heard() == [f"called|{waiter.lease_id}" for waiter in waiters[:2]]


def test_a_slot_that_a_lowered_limit_removes_calls_no_waiter(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, heard: Heard
) -> None:
    take(2, expected_seconds=10), take(2, expected_seconds=20)
    limiter.set_viewers({"account-2": 1})
    wait(limiter, request_of(2))
    clock.move(9)
    limiter.tick()
    assert heard() == []


@pytest.mark.parametrize(("settings", "calls"), [({"called_limit": 1}, 1), ({"called_limit": 0}, 0)])
def test_the_number_of_called_waiters_is_bounded(
    limiter: Limiter,
    clock: Any,
    take: Take,
    request_of: RequestOf,
    heard: Heard,
    settings: dict[str, float],
    calls: int,
) -> None:
    limiter.configure(**settings)
    take(2, expected_seconds=10), take(2, expected_seconds=10)
    wait(limiter, request_of(2), request_of(2))
    clock.move(9)
    limiter.tick()
    assert len(heard()) == calls


def test_no_waiter_is_called_when_the_global_limit_leaves_no_worker_free(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, heard: Heard
) -> None:
    limiter.configure(global_limit=3)
    take(2, expected_seconds=10), take(2, expected_seconds=10)
    other = take(3)
    wait(limiter, request_of(2), request_of(2))
    clock.move(9)
    limiter.tick()
    assert heard() == []
    limiter.release(other)
    assert len(heard()) == 1, "one worker is free, and the one called will be in it"


def test_a_waiter_called_in_vain_keeps_its_place_and_is_not_called_again_at_once(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, heard: Heard
) -> None:
    lease = take(1, expected_seconds=2)
    first, second = request_of(1), request_of(1)
    wait(limiter, first, second)
    for _ in range(10):
        clock.move(1)
        limiter.tick()
    assert heard() == [f"called|{first.lease_id}"]
    limiter.release(lease)
    assert heard() == [first.lease_id]


def test_work_of_unknown_length_calls_no_waiter(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, heard: Heard
) -> None:
    take(1)
    wait(limiter, request_of(1))
    clock.move(1)
    limiter.tick()
    assert heard() == []


def test_no_waiter_is_called_while_its_account_rests(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, heard: Heard
) -> None:
    lease = take(2, expected_seconds=10)
    take(2, expected_seconds=10)
    limiter.report_busy(lease, retry_after=30)
    wait(limiter, request_of(2))
    clock.move(9)
    limiter.tick()
    assert heard() == []


def due(answer: object) -> float:
    assert isinstance(answer, Queued), answer
    return answer.due


def test_a_newcomer_learns_when_a_slot_for_it_becomes_free(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf
) -> None:
    take(1, expected_seconds=10)
    take(2)
    take(2)
    clock.move(9)
    assert due(limiter.acquire(request_of(2), "w")) == 0.0
    assert due(limiter.acquire(request_of(1), "w")) == pytest.approx(1.0)
    assert due(limiter.acquire(request_of(1), "w")) == 0.0


def test_a_newcomer_learns_nothing_about_a_slot_that_is_in_use_for_long(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf
) -> None:
    take(1, expected_seconds=10)
    clock.move(5)
    assert due(limiter.acquire(request_of(1), "w")) == 0.0
