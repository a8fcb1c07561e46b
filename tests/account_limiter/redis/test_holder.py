from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from account_limiter import Granted, Holder, Lease, LeaseLost, Limiter, LimiterUnavailable, Renewed, Request
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
    assert isinstance(limiter.acquire(request_of(1), "next"), Granted)
    with pytest.raises(LeaseLost, match="full"):
        limiter.renew(lease)
