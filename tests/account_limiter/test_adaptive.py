from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from account_limiter import Granted, Lease, Limiter, Queued, Reading, Request

CALM, BUSY, EVEN = Reading(0.2, 0.6), Reading(3.0, 0.6), Reading(1.2, 0.6)


@pytest.mark.parametrize(
    ("reading", "direction"), [(CALM, 1), (BUSY, -1), (EVEN, 0), (Reading(0.2, 0.05), -1), (Reading(0.2, 0.15), 0)]
)
def test_what_a_reading_asks_for(reading: Reading, direction: int) -> None:
    assert reading.direction == direction


def test_this_machine_can_be_read() -> None:
    reading = Reading.take()
    assert reading.load >= 0
    assert 0 < reading.memory < 1


def test_the_limit_comes_down_in_steps_to_its_floor_and_up_again_to_its_ceiling(
    limiter: Limiter, clock: Any, redis_client: Redis
) -> None:
    limiter.configure(global_limit=20)

    def limits(reading: Reading, steps: int) -> list[int]:
        found = []
        for _ in range(steps):
            clock.move(10)
            found.append(limiter.adapt(reading, floor=8, ceiling=12))
        return found

    assert limits(BUSY, 4) == [9, 8, 8, 8]
    assert limiter.snapshot().global_limit == 8
    assert limits(EVEN, 1) == [8]
    assert limits(CALM, 5) == [9, 10, 11, 12, 12]
    limiter.configure(adapted=0)
    assert limiter.snapshot().global_limit == 20
    steps = [
        fields for _, fields in redis_client.xrange("{streamflow}:limiter:events") if fields[b"kind"] == b"adapted"
    ]
    assert (steps[0][b"lease_id"], steps[0][b"info"]) == (b"9", str(BUSY).encode())


def test_many_callers_make_one_step(limiter: Limiter, clock: Any) -> None:
    clock.move(10)
    assert [limiter.adapt(BUSY, floor=1, ceiling=4) for _ in range(3)] == [3, 3, 3]


def test_a_lowered_limit_is_kept_to_and_a_raised_one_used_at_once(
    limiter: Limiter, clock: Any, take: Callable[..., Lease], request_of: Callable[..., Request]
) -> None:
    leases = [take(3) for _ in range(3)]
    clock.move(10)
    limiter.adapt(BUSY, floor=1, ceiling=4)
    waiter = request_of(3)
    assert isinstance(limiter.acquire(waiter, "w"), Queued)
    for lease in leases:
        limiter.renew(lease)
    clock.move(10)
    limiter.adapt(CALM, floor=1, ceiling=4)
    assert isinstance(limiter.acquire(waiter, "w"), Granted)
