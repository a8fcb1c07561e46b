"""Wrong and jumping clocks of workers, triggerers and Redis."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import pytest
from redis import Redis

from account_limiter import Granted, Holder, Lease, Limiter, Queued, Request
from account_limiter.airflow import trigger as trigger_module
from account_limiter.airflow.hub import WaitResult
from account_limiter.airflow.operator import TryAgain
from account_limiter.redis.library import library

from ..airflow.test_operator import deferral, new_task
from ..conftest import Clock

RequestOf = Callable[..., Request]
Take = Callable[..., Lease]
HOURS = 3600.0
WRONG = [(5 * HOURS,), (-5 * HOURS,), (0.0, 5 * HOURS, -9 * HOURS)]


@pytest.fixture
def wrong(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the clock of this process wrong by these seconds, in turns."""
    real, offsets = time.time, itertools.cycle(request.param)
    monkeypatch.setattr(time, "time", lambda: real() + next(offsets))


@pytest.mark.parametrize("wrong", WRONG, indirect=True)
@pytest.mark.usefixtures("wrong")
def test_a_holder_whose_clock_is_wrong_keeps_its_lease(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    limiter.configure(lease_ttl=0.3)
    with Holder(limiter, take(1)) as holder:
        assert isinstance(limiter.wait(request_of(1), "h", timeout=0.75), Queued)
        holder.check()


@pytest.mark.parametrize("wrong", WRONG, indirect=True)
@pytest.mark.usefixtures("wrong")
def test_the_slot_of_a_dead_holder_whose_clock_was_wrong_comes_free(
    limiter: Limiter, take: Take, request_of: RequestOf
) -> None:
    limiter.configure(lease_ttl=0.3)
    dead = take(1)
    answer = limiter.wait(request_of(1), "h", timeout=5)
    assert isinstance(answer, Granted)
    assert 0.3 <= answer.lease.acquired_at - dead.acquired_at < 5


@pytest.mark.parametrize("wrong", WRONG, indirect=True)
@pytest.mark.usefixtures("wrong")
async def test_a_retry_comes_in_time_when_the_clocks_of_worker_and_triggerer_are_wrong(
    limiter: Limiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    class EmptyHub:
        async def wait(self, request: Request, rank: str) -> WaitResult:
            return WaitResult("granted", rank)

    def again(*_: object) -> None:
        raise TryAgain(0.05, "it is busy")

    monkeypatch.setattr(trigger_module, "hub", lambda *_: EmptyHub())
    trigger = deferral(*new_task(limiter, again)).trigger
    async with asyncio.timeout(5):
        begun = time.monotonic()
        assert [event.payload["status"] async for event in trigger.run()] == ["granted"]
    assert time.monotonic() - begun >= 0.05


def test_a_worker_whose_clock_is_ahead_does_not_block_newer_counts_of_viewers(
    limiter: Limiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as ahead:
        real = time.time
        ahead.setattr(time, "time", lambda: real() + 5 * HOURS)
        limiter.set_viewers({"account-2": 1})
    assert limiter.set_viewers({"account-2": 2}) == 1
    assert limiter.snapshot().budgets[1].viewers == 2


def test_a_redis_clock_that_is_set_back_delays_no_waiter(
    limiter: Limiter, clock: Clock, take: Take, request_of: RequestOf
) -> None:
    limiter.configure(stagger_delay=1)
    limiter.set_viewers({"account-1": 1})
    refused, suspected = take(2), take(2)
    limiter.report_busy(refused, retry_after=60)
    limiter.suspect_busy(suspected, retry_after=60)
    waiter = request_of(2)
    clock.move(-5 * HOURS)
    limiter.acquire(waiter, "w")
    limiter.set_viewers({})
    limiter.tick()
    clock.move(31)
    limiter.tick()
    (budget,) = (one for one in limiter.snapshot().budgets if one.budget_id == "account-2")
    assert (budget.active, budget.effective_limit) == (0, 1), (
        "the leases of the dead have expired, and the refusal is remembered"
    )
    assert limiter.snapshot().budgets[0].viewers == 0
    answer = limiter.acquire(waiter, "w")
    assert isinstance(answer, Granted)
    clock.move(90)
    limiter.renew(answer.lease)
    limiter.release(answer.lease, succeeded=True)
    (budget,) = (one for one in limiter.snapshot().budgets if one.budget_id == "account-2")
    assert budget.effective_limit == 2, "a success raises the learned limit"


def test_after_the_redis_clock_is_set_back_lost_waiters_get_no_grant_and_viewers_are_counted_again(
    limiter: Limiter, clock: Clock, redis_client: Redis, take: Take, request_of: RequestOf
) -> None:
    limiter.claim("account-1", limit=0, elsewhere=1, words="it says so")
    limiter.set_viewers({"account-1": 1})
    lost, kept_out = request_of(2), request_of(1)
    leases = take(2), take(2)
    for waiter in (lost, kept_out):
        assert isinstance(limiter.acquire(waiter, "w"), Queued)
    clock.move(-5 * HOURS)
    limiter.tick()
    clock.move(20)
    limiter._run("touch", kept_out.lease_id)
    for lease in leases:
        limiter.renew(lease)
    limiter.tick()
    assert redis_client.zrange(library().keys["called"], 0, -1) == [kept_out.lease_id.encode()]
    assert limiter.snapshot().budgets[0].elsewhere == 0
    clock.move(20)
    for lease in leases:
        assert limiter.release(lease)
    assert not limiter.snapshot().leases, "no triggerer would receive the grant"


@pytest.mark.parametrize("lease_ttl", [3, 30, 150, 600])
def test_after_the_redis_clock_jumps_ahead_running_holders_register_again_before_anybody_else_gets_a_slot(
    limiter: Limiter, clock: Clock, take: Take, request_of: RequestOf, lease_ttl: int
) -> None:
    limiter.configure(lease_ttl=lease_ttl)
    lease, newcomer = take(1), request_of(1)
    clock.hang(5 * HOURS)
    answer = limiter.acquire(newcomer, "h")
    assert isinstance(answer, Queued)
    assert answer.reason == "closed"
    # A holder renews its lease at this interval.
    clock.move(min(10, lease_ttl / 3))
    assert isinstance(limiter.acquire(newcomer, "h"), Queued)
    limiter.renew(lease)
    clock.move(10)
    assert isinstance(limiter.acquire(newcomer, "h"), Queued if lease_ttl > 10 else Granted)


def test_a_server_that_was_idle_grants_a_slot_after_a_moment(
    limiter: Limiter, clock: Clock, request_of: RequestOf
) -> None:
    clock.hang(HOURS)
    request = request_of(1)
    answer = limiter.acquire(request, "h")
    assert isinstance(answer, Queued)
    assert (answer.reason, answer.due) == ("closed", 1.2)
    clock.move(1.2)
    assert isinstance(limiter.acquire(request, "h"), Granted)


def test_ticks_of_a_triggerer_and_renewals_are_no_silence(
    limiter: Limiter, clock: Clock, take: Take, request_of: RequestOf
) -> None:
    lease = take(1)
    clock.hang(2.9)
    limiter.tick()
    clock.hang(10)
    limiter.renew(lease)
    clock.move(1.2)
    take(2)
