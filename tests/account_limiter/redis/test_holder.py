from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from account_limiter import (
    AccountLimit,
    Granted,
    Holder,
    Lease,
    LeaseLost,
    Limiter,
    LimiterUnavailable,
    Queued,
    Renewed,
    Request,
    Settings,
    new_holder,
)
from account_limiter.airflow.connection import watching
from account_limiter.redis import holder as holder_module


def test_a_holder_keeps_its_lease_and_gives_it_back(limiter: Limiter, take: Callable[..., Lease]) -> None:
    limiter.configure(lease_ttl=0.2)
    with Holder(limiter, take(1)) as holder:
        time.sleep(0.5)
        assert limiter.snapshot().active == 1
        holder.check()
    assert limiter.snapshot().active == 0
    holder.release()


def test_a_slot_is_given_back_when_the_work_fails(limiter: Limiter, take: Callable[..., Lease]) -> None:
    with pytest.raises(ZeroDivisionError), Holder(limiter, take(1)):
        _ = 1 / 0
    assert limiter.snapshot().active == 0


def test_a_reset_reaches_the_holder_at_its_next_heartbeat(limiter: Limiter, take: Callable[..., Lease]) -> None:
    limiter.configure(lease_ttl=0.3)
    with Holder(limiter, take(1)) as holder:
        limiter.reset()
        assert holder.lost.wait(0.2)
        with pytest.raises(LeaseLost, match="reset"):
            holder.check()


@pytest.mark.parametrize("yields", [True, False])
def test_a_viewer_stops_only_a_holder_that_yields(limiter: Limiter, take: Callable[..., Lease], yields: bool) -> None:
    limiter.configure(lease_ttl=0.3)
    with Holder(limiter, take(1), yields=yields) as holder:
        limiter.set_viewers({"account-1": 1})
        assert holder.lost.wait(0.25) is yields
        assert holder.reason == ("viewer" if yields else None)


def test_a_holder_yields_within_two_seconds_of_a_viewer(limiter: Limiter, take: Callable[..., Lease]) -> None:
    """Nobody else counts the viewers, and the lease has a long life."""
    watching: dict[str, int] = {}
    limiter.configure(lease_ttl=600)
    with Holder(limiter, take(1), yields=True, observe=lambda: bool(limiter.set_viewers(watching))) as holder:
        assert not holder.lost.wait(1)
        watching["account-1"] = 1
        assert holder.lost.wait(2)
        assert holder.reason == "viewer"


def test_an_observation_that_fails_is_tried_again(limiter: Limiter, take: Callable[..., Lease]) -> None:
    looks: list[None] = []

    def look() -> None:
        looks.append(None)
        raise ZeroDivisionError

    with Holder(limiter, take(1), observe=look) as holder:
        assert not holder.lost.wait(2)
    assert len(looks) > 1


class CountingLimiter(Limiter):
    renewals = 0

    def renew(self, lease: Lease) -> Renewed:
        self.renewals += 1
        return super().renew(lease)


def test_a_lease_with_a_long_life_is_renewed_before_a_redis_without_data_grants_slots(
    limiter: Limiter, take: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder_module, "LONGEST_PAUSE_SECONDS", 0.1)
    limiter.configure(lease_ttl=150)
    counting = CountingLimiter(limiter._redis)
    with Holder(counting, take(1)):
        time.sleep(0.55)
    assert 3 <= counting.renewals <= 5


class HangingLimiter(Limiter):
    def renew(self, lease: Lease) -> Renewed:
        time.sleep(0.9)
        raise LimiterUnavailable("it hangs")


def test_a_holder_whose_renewal_hangs_stops_before_its_lease_ends(limiter: Limiter, take: Callable[..., Lease]) -> None:
    limiter.configure(lease_ttl=0.4)
    lease = take(1)
    hanging = HangingLimiter(limiter._redis)
    with Holder(hanging, lease) as holder:
        assert holder.lost.wait(0.4)
        assert lease.age < 0.4
        assert limiter.snapshot().active == 1, "the slot must still be taken when the holder stops"


class StumblingLimiter(Limiter):
    failures = 2

    def renew(self, lease: Lease) -> Renewed:
        if self.failures:
            self.failures -= 1
            raise LimiterUnavailable("away for a moment")
        return super().renew(lease)


def test_a_short_absence_of_redis_costs_no_lease(limiter: Limiter, take: Callable[..., Lease]) -> None:
    limiter.configure(lease_ttl=0.5)
    with Holder(StumblingLimiter(limiter._redis), take(1)) as holder:
        assert not holder.lost.wait(0.7)
        assert limiter.snapshot().active == 1


def test_entering_waits_for_the_booked_start(limiter: Limiter, take: Callable[..., Lease]) -> None:
    limiter.configure(stagger_delay=0.15)
    take(3)
    lease = take(3)
    with Holder(limiter, lease):
        assert lease.age >= lease.starts_in > 0.1


def test_a_late_holder_registers_again_when_its_slot_is_free(limiter: Limiter, take: Callable[..., Lease]) -> None:
    limiter.configure(lease_ttl=0.05)
    lease = take(1)
    time.sleep(0.08)
    limiter.tick()
    assert limiter.snapshot().active == 0
    limiter.renew(lease)
    assert limiter.snapshot().active == 1


def test_a_late_holder_loses_its_lease_when_its_slot_is_taken(
    limiter: Limiter, take: Callable[..., Lease], request_of: Callable[..., Request]
) -> None:
    limiter.configure(lease_ttl=0.05)
    lease = take(1)
    time.sleep(0.08)
    limiter.configure(lease_ttl=30)
    assert isinstance(limiter.wait(request_of(1), "next", timeout=1), Granted)
    with pytest.raises(LeaseLost, match="full"):
        limiter.renew(lease)


# -- work that begins while Redis is away --------------------------------------------------------
def unregistered(account_id: int, limit: int = 1) -> Lease:
    budget = AccountLimit(account_id, limit=limit).sources[0]
    return Lease.unregistered(Request("alone", account_id), new_holder(), budget, Settings(global_limit=4))


def test_work_without_redis_gets_a_lease_before_anybody_else_does_when_redis_goes_on(own_redis: Any) -> None:
    """Redis hangs for longer than a client waits, and requests lie in its socket when it goes on."""
    with own_redis.client() as redis, own_redis.client() as other:
        limiter = Limiter(redis)
        limiter.configure(accounts=[AccountLimit(1, limit=1)], global_limit=4, stagger_delay=0)
        limiter.open_now()
        own_redis.pause()
        with ThreadPoolExecutor(1) as pool, watching(redis) as patient:
            waiting = pool.submit(Limiter(other).acquire, Request("early", 1), "h")
            with Holder(Limiter(patient), unregistered(1)) as holder:
                time.sleep(3.2)
                assert not holder.lost.is_set()
                own_redis.go_on()
                assert isinstance(waiting.result(10), Queued)
                answer = limiter.wait(Request("late", 1), "h", timeout=1.5)
                assert isinstance(answer, Queued)
                assert [lease.lease_id for lease in limiter.snapshot().leases] == ["alone"]
                holder.check()


def test_work_without_redis_stops_when_redis_returns_without_room(limiter: Limiter, take: Callable[..., Lease]) -> None:
    take(1)
    with Holder(limiter, unregistered(1)) as holder:
        assert holder.lost.wait(2)
        assert holder.reason == "full"
    assert limiter.snapshot().active == 1


def test_a_lease_made_without_redis_ends_with_a_reset(limiter: Limiter) -> None:
    limiter.configure(lease_ttl=0.3)
    with Holder(limiter, unregistered(1)) as holder:
        while not limiter.snapshot().active:
            time.sleep(0.01)
        limiter.reset()
        assert holder.lost.wait(2)
        assert holder.reason == "reset"


def test_a_report_while_redis_is_away_does_not_end_the_work() -> None:
    with Redis(port=9, retry=Retry(NoBackoff(), 0)) as away, Holder(Limiter(away), unregistered(1)) as holder:
        assert holder.report_busy() is None
        assert holder.suspect_busy() is None
        assert holder.settle_suspicion(right=True) is None
        assert not holder.lost.is_set()
