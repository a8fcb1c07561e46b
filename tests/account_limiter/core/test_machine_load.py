from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from account_limiter import AccountLimit, Granted, Lease, Limiter, MachineLoad, Queued, Request
from account_limiter.redis.library import library

CALM, BUSY, EVEN = MachineLoad(0.2, 0.6), MachineLoad(3.0, 0.6), MachineLoad(1.2, 0.6)


@pytest.mark.parametrize(
    ("reading", "direction"),
    [(CALM, 1), (BUSY, -1), (EVEN, 0), (MachineLoad(0.2, 0.05), -1), (MachineLoad(0.2, 0.15), 0)],
)
def test_the_direction_follows_the_load(reading: MachineLoad, direction: int) -> None:
    assert reading.direction == direction


def test_this_machine_can_be_measured() -> None:
    reading = MachineLoad.measure()
    assert reading.load >= 0
    assert 0 < reading.memory < 1


def test_the_limit_comes_down_in_steps_to_its_floor_and_up_again_to_its_ceiling(
    limiter: Limiter, clock: Any, redis_client: Redis
) -> None:
    limiter.configure(global_limit=20)

    def limits(reading: MachineLoad, steps: int) -> list[int]:
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
    assert json.loads(steps[0][b"info"]) == {"global_limit": 9, "reason": str(BUSY)}


def test_many_callers_move_the_limit_one_step(limiter: Limiter, clock: Any) -> None:
    clock.move(10)
    assert [limiter.adapt(BUSY, floor=1, ceiling=4) for _ in range(3)] == [3, 3, 3]


def test_a_lowered_limit_holds_and_a_raised_one_is_used_at_once(
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


@pytest.fixture
def work(limiter: Limiter, take: Callable[..., Lease]) -> Callable[[int, bool | None], None]:
    """Return a function that takes a slot of an account and gives it back, starved or not."""
    limiter.configure(accounts=[AccountLimit(n, limit=0) for n in (1, 2, 3)], global_limit=20)

    def done(account: int, starved: bool | None) -> None:
        limiter.release(take(account), succeeded=True, starved=starved)

    return done


def test_a_full_line_lowers_the_limit_once_for_each_measurement(
    limiter: Limiter, clock: Any, work: Callable[[int, bool | None], None], caplog: pytest.LogCaptureFixture
) -> None:
    for account, starved in ((1, True), (1, True), (2, True), (3, False), (3, None)):
        work(account, starved)
    with caplog.at_level(logging.INFO):
        assert limiter.adapt(CALM, floor=2, ceiling=20) == 16
    assert "changes from 20 to 16: 3 of 4 works of 3 accounts fell behind real time" in caplog.text
    clock.move(10)
    assert limiter.adapt(CALM, floor=2, ceiling=20) == 17


def test_one_slow_provider_neither_lowers_nor_raises_the_limit(
    limiter: Limiter, clock: Any, work: Callable[[int, bool | None], None]
) -> None:
    limiter.configure(adapted=8)
    for account, starved in ((1, True), (1, True), (1, True), (2, False), (3, False)):
        work(account, starved)
    assert limiter.adapt(CALM, floor=2, ceiling=20) == 8
    assert limiter.adapt(BUSY, floor=2, ceiling=20) == 6, "the load of the machine counts in any case"


def test_a_measurement_is_forgotten_after_a_minute(
    limiter: Limiter, clock: Any, work: Callable[[int, bool | None], None], redis_client: Redis
) -> None:
    limiter.configure(adapted=8)
    for _ in range(4):
        work(1, True)
    clock.move(61)
    work(1, False)
    assert limiter.adapt(CALM, floor=2, ceiling=20) == 9
    assert redis_client.zcard(library().keys["paces"]) == 1
