"""Waiters that are called shortly before a slot comes free. Times are Redis', moved by the test."""

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
    """Roomy, so that accounts are what is full."""
    limiter.configure(global_limit=20, lease_ttl=60)
    return limiter


@pytest.fixture
def heard(redis_client: Redis) -> Iterator[Heard]:
    """What was said to waiters since it was last asked."""
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


def test_a_slot_that_a_lowered_limit_takes_away_calls_nobody(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, heard: Heard
) -> None:
    take(2, expected_seconds=10), take(2, expected_seconds=20)
    limiter.set_viewers({"account-2": 1})
    wait(limiter, request_of(2))
    clock.move(9)
    limiter.tick()
    assert heard() == []


@pytest.mark.parametrize(("settings", "calls"), [({"called_limit": 1}, 1), ({"called_limit": 0}, 0)])
def test_the_called_are_bounded(
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


def test_nobody_is_called_where_the_global_limit_leaves_no_worker_to_wait_in(
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


def test_one_called_in_vain_keeps_its_place_and_is_not_called_again_at_once(
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


def test_work_of_unknown_length_calls_nobody(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, heard: Heard
) -> None:
    take(1)
    wait(limiter, request_of(1))
    clock.move(1)
    limiter.tick()
    assert heard() == []


def test_an_account_that_rests_is_not_called_into(
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


def test_a_newcomer_is_told_of_the_slot_that_is_about_to_come_free_for_it_alone(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf
) -> None:
    take(1, expected_seconds=10)
    take(2)
    take(2)
    clock.move(9)
    assert due(limiter.acquire(request_of(2), "w")) == 0.0
    assert due(limiter.acquire(request_of(1), "w")) == pytest.approx(1.0)
    assert due(limiter.acquire(request_of(1), "w")) == 0.0


def test_a_newcomer_is_told_nothing_of_a_slot_that_is_far_from_free(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf
) -> None:
    take(1, expected_seconds=10)
    clock.move(5)
    assert due(limiter.acquire(request_of(1), "w")) == 0.0
