"""The history that the transitions write. The test moves the clock of Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from account_limiter import AccountLimit, Lease, Limiter, Request

Take = Callable[..., Lease]
RequestOf = Callable[..., Request]

START = 1_800_000_000.0


@pytest.fixture
def limiter(clock: Any, limiter: Limiter) -> Limiter:
    limiter.configure(lease_ttl=30)
    return limiter


def test_states_are_means_and_events_are_counts(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf
) -> None:
    lease, waiter = take(1), request_of(1)
    limiter.acquire(waiter, "w")
    limiter.acquire(request_of(1), "w", enqueue=False)
    clock.move(12)
    limiter.release(lease)
    clock.move(10)
    limiter.tick()
    history = limiter.history(START, 10)
    assert (history.step, history.at) == (10, (START, START + 10, START + 20))
    one = history.accounts["1"]
    assert history.total == one
    assert (one.active, one.waiting) == ((1, 1, 1), (1, 0, 0))
    assert (one.granted, one.refused, one.finished) == ((1, 1, 0), (1, 0, 0), (0, 1, 0))
    assert one.wait == (0, 12, 0)
    assert one.finished_per_minute == (0, 6, 0)


def test_a_state_lasts_without_events_for_the_life_of_a_lease(limiter: Limiter, clock: Any, take: Take) -> None:
    take(1)
    clock.move(55)
    assert limiter.history(START, 10).accounts["1"].active == (1, 1, 1, 0, 0, 0)
    limiter.tick()
    assert limiter.history(START, 10).accounts["1"].active == (1, 1, 1, 0, 0, 0)


def test_the_state_before_the_first_step_is_known(limiter: Limiter, clock: Any, take: Take) -> None:
    take(1)
    clock.move(25)
    limiter.tick()
    assert limiter.history(START + 15, 10).accounts["1"].active == (1, 1)


def test_long_steps_take_the_means_of_short_ones(limiter: Limiter, clock: Any, take: Take) -> None:
    lease = take(2)
    for number in range(1, 61):
        clock.set(START + 10 * number)
        limiter.tick() if number > 15 else limiter.renew(lease)
        if number == 15:
            limiter.release(lease)
    clock.move(5)
    coarse = limiter.history(START, 300)
    assert coarse.at == (START, START + 300, START + 600)
    assert coarse.accounts["2"].active == (0.5, 0, 0)
    assert coarse.accounts["2"].finished == (1, 0, 0)
    fine = limiter.history(START, 100)
    assert fine.accounts["2"].active == (1, 0.5, 0, 0, 0, 0, 0)
    assert fine.accounts["2"].granted == (1, 0, 0, 0, 0, 0, 0)


def test_yesterday_is_kept_in_long_steps_and_last_month_forgotten(limiter: Limiter, clock: Any, take: Take) -> None:
    lease = take(1)
    clock.move(10)
    limiter.release(lease)
    clock.move(2 * 86400)
    limiter.tick()
    history = limiter.history(START, 300)
    assert history.step == 300
    assert (history.accounts["1"].finished[0], sum(history.accounts["1"].finished)) == (1, 1)
    clock.move(30 * 86400)
    limiter.tick()
    assert limiter.history(START, 300).accounts == {}


def test_steps_grow_to_the_stored_ones_and_to_a_bounded_number(limiter: Limiter, clock: Any) -> None:
    limiter.tick()
    assert limiter.history(clock.now - 2 * 86400, 10).step == 300
    day = limiter.history(clock.now - 80_000, 10)
    assert day.step == 90
    assert len(day.at) <= 1000


def test_the_least_busy_of_many_accounts_are_summed_up(limiter: Limiter, clock: Any) -> None:
    limiter.configure(accounts=[AccountLimit(n, limit=2) for n in range(150)], global_limit=0)
    for number in range(160):
        limiter.acquire(Request(f"{number}", number % 150), "h")
    clock.move(10)
    limiter.tick()
    history = limiter.history(START, 10)
    assert len(history.accounts) == 100
    assert history.total.active[0] == history.total.granted[0] == 160
    assert history.accounts[""].active[0] == 51
    assert history.accounts["9"].active[0] == 2


def test_a_clock_set_back_does_not_end_history(limiter: Limiter, clock: Any, take: Take) -> None:
    limiter.tick()
    clock.move(-3600)
    take(1)
    clock.move(10)
    limiter.tick()
    assert limiter.history(clock.now - 10, 10).accounts["1"].granted == (1, 0)


def test_a_day_of_fifty_busy_accounts_and_a_month_take_less_than_25_mb(
    limiter: Limiter, clock: Any, redis_client: Redis
) -> None:
    limiter.configure(accounts=[AccountLimit(n, limit=40) for n in range(50)], global_limit=0)
    for number in range(1000):
        limiter.acquire(Request(f"{number}", number % 50), "h")
    clock.move(10)
    limiter.tick()
    text = redis_client.hget("{streamflow}:limiter:history", str(int(START) // 10 % 8640))
    assert text and text.count(b",") == 50
    filler = text.replace(b"|0|0|0|0", b"|40|12|40|654321")
    with redis_client.pipeline() as pipe:
        for slot in range(8640):
            for name in ("history", "history_coarse"):
                pipe.hset("{streamflow}:limiter:" + name, str(slot), filler)
        pipe.execute()
    used = sum(
        redis_client.memory_usage("{streamflow}:limiter:" + name, samples=0) for name in ("history", "history_coarse")
    )
    assert used < 25e6, used
