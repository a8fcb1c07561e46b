"""Providers that count a closed connection for a while."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from account_limiter import AccountLimit, Budget, BudgetState, Granted, Lease, Limiter, Queued, Request

from ..conftest import Clock

RequestOf = Callable[..., Request]
Take = Callable[..., Lease]
STEP, SAMPLE, RETRY = 0.5, 10.0, 10.0


def budget_of(limiter: Limiter, budget_id: str = "account-1") -> BudgetState:
    return next(budget for budget in limiter.snapshot().budgets if budget.budget_id == budget_id)


def test_a_configured_delay_holds_the_slot_but_no_global_one(
    limiter: Limiter, clock: Clock, take: Take, request_of: RequestOf
) -> None:
    budget = Budget("account-1", 1, release_delay=3)
    limiter.configure(accounts=[AccountLimit(1, budgets=(budget,)), AccountLimit(2, limit=1)], global_limit=1)
    limiter.release(take(1), succeeded=True)
    assert (budget_of(limiter).active, budget_of(limiter).lingering) == (0, 1)
    assert budget_of(limiter).evidence == ("a closed connection counts for 3.0 s: as configured",)
    waiter = request_of(1)
    assert isinstance(limiter.acquire(waiter, "h"), Queued)
    limiter.release(take(2))
    clock.move(2.9)
    assert limiter.tick().granted == ()
    assert limiter.tick().due == pytest.approx(0.1, abs=0.01)
    clock.move(0.1)
    assert limiter.tick().granted == (waiter.lease_id,)


def test_a_grant_that_was_not_used_and_a_refused_connection_hold_nothing(
    limiter: Limiter, take: Take, request_of: RequestOf
) -> None:
    limiter.configure(accounts=[AccountLimit(1, budgets=(Budget("account-1", 1, release_delay=30),))])
    refused = take(1)
    limiter.report_busy(refused, retry_after=0)
    limiter.release(refused)
    assert budget_of(limiter).lingering == 0


def test_the_slot_of_a_crashed_holder_is_held_as_well(limiter: Limiter, clock: Clock, take: Take) -> None:
    limiter.configure(accounts=[AccountLimit(1, budgets=(Budget("account-1", 1, release_delay=5),))])
    take(1)
    clock.move(30)
    limiter.tick()
    assert budget_of(limiter).lingering == 1
    clock.move(-3600)
    limiter.tick()
    clock.move(61)
    limiter.tick()
    assert budget_of(limiter).lingering == 0, "after the clock was set back a slot is held for a minute at most"


def test_the_delay_that_a_panel_shows_is_kept_with_its_words(limiter: Limiter, take: Take) -> None:
    assert limiter.set_release_delay("account-1", 4.5, "the panel counted it for 4.5 s")
    assert not limiter.set_release_delay("unknown", 4.5, "")
    limiter.release(take(1))
    (evidence,) = budget_of(limiter).evidence
    assert evidence.startswith("a closed connection counts for 4.5 s: the panel counted it for 4.5 s, at 2")
    limiter.configure(accounts=[AccountLimit(1, budgets=(Budget("login", 1),))])
    assert budget_of(limiter, "login").release.seconds == 4.5, "a renamed login keeps its delay"
    assert budget_of(limiter, "login").lingering == 1


@dataclass
class Provider:
    """A provider with a limit that counts a closed connection for a while."""

    clock: Clock
    limit: int
    linger: float
    open: int = 0
    refused: int = 0
    served: int = 0
    closed: list[float] = field(default_factory=list)

    def admits(self) -> bool:
        counted = self.open + sum(time + self.linger > self.clock.now for time in self.closed)
        if counted >= self.limit:
            self.refused += 1
            return False
        self.open, self.served = self.open + 1, self.served + 1
        return True

    def close(self) -> None:
        self.open -= 1
        self.closed.append(self.clock.now)


def run_checks(limiter: Limiter, clock: Clock, provider: Provider, checks: int, retry: float = RETRY) -> None:
    """Run checks of account 1 as tasks do: a refused one waits and asks again."""
    numbers = itertools.count()
    waiting: list[tuple[float, Request]] = [(0.0, Request(f"check-{next(numbers)}", 1)) for _ in range(checks)]
    running: list[tuple[float, Lease]] = []
    while waiting or running:
        clock.move(STEP)
        assert clock.now < 1_800_000_000 + 3 * 3600, "no check is served any more"
        for end, lease in [one for one in running if one[0] <= clock.now]:
            running.remove((end, lease))
            provider.close()
            limiter.release(lease, succeeded=True)
        for _, lease in running:
            limiter.renew(lease)
        for due, request in [one for one in waiting if one[0] <= clock.now]:
            answer = limiter.acquire(request, "h")
            if isinstance(answer, Granted):
                waiting.remove((due, request))
                if provider.admits():
                    running.append((clock.now + SAMPLE, answer.lease))
                else:
                    limiter.report_busy(answer.lease, retry_after=retry)
                    limiter.release(answer.lease)
                    waiting.append((clock.now + retry, request))


def test_two_refusals_at_the_same_time_are_explained_by_one_delay(
    limiter: Limiter, clock: Clock, take: Take, request_of: RequestOf
) -> None:
    limiter.configure(accounts=[AccountLimit(1, limit=2)], global_limit=0, stagger_delay=0)
    limiter.open_now()
    for lease in [take(1), take(1)]:
        limiter.release(lease, succeeded=True)
    clock.move(1)
    refused = [take(1), take(1)]
    clock.move(0.2)
    for lease in refused:
        limiter.report_busy(lease, retry_after=2)
        limiter.release(lease)
    budget = budget_of(limiter)
    assert (budget.believed, budget.believed_limit, budget.release.seconds) == (0, 2, 3.0)
    assert budget.lingering == 2


@pytest.mark.parametrize("linger", [3, 30, 55])
def test_a_delay_is_learned_with_a_short_pause_between_tries(limiter: Limiter, clock: Clock, linger: float) -> None:
    limiter.configure(accounts=[AccountLimit(1, limit=2)], global_limit=0, stagger_delay=0)
    limiter.open_now()
    provider = Provider(clock, 2, linger)
    run_checks(limiter, clock, provider, 16, retry=2)
    assert provider.refused <= 6
    assert budget_of(limiter).believed_limit == 2
    assert budget_of(limiter).release.seconds >= linger


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize(("linger", "most_refused"), [(0, 0), (3, 2), (30, 5)])
def test_the_delay_is_learned_from_refusals_after_releases_and_the_limit_is_not_doubted(
    limiter: Limiter, clock: Clock, limit: int, linger: float, most_refused: int
) -> None:
    limiter.configure(accounts=[AccountLimit(1, limit=limit)], global_limit=0, lease_ttl=30, stagger_delay=0)
    limiter.open_now()
    provider = Provider(clock, limit, linger)
    run_checks(limiter, clock, provider, 8 * limit)
    budget = budget_of(limiter)
    assert provider.served == 8 * limit
    assert provider.refused <= most_refused
    assert budget.believed_limit == limit
    assert linger <= budget.release.seconds <= 2 * linger + 2
    if linger:
        assert any("after another one had ended" in sentence for sentence in budget.evidence)


def test_a_limit_that_is_lower_than_sold_is_learned_as_before(limiter: Limiter, clock: Clock) -> None:
    limiter.configure(accounts=[AccountLimit(1, limit=5)], global_limit=0, stagger_delay=0)
    limiter.open_now()
    provider = Provider(clock, 2, 0)
    run_checks(limiter, clock, provider, 12)
    assert budget_of(limiter).believed_limit == 2
    assert budget_of(limiter).release.seconds == 0


def test_a_limit_that_falls_costs_few_refusals_and_is_tried_again_a_day_later(limiter: Limiter, clock: Clock) -> None:
    """A delay and a lower limit look alike when a login has served more before. Either one ends the refusals."""
    limiter.configure(accounts=[AccountLimit(1, limit=5)], global_limit=0, stagger_delay=0)
    limiter.open_now()
    provider = Provider(clock, 5, 0)
    run_checks(limiter, clock, provider, 10)
    provider.limit = 2
    run_checks(limiter, clock, provider, 30)
    assert provider.served == 40
    assert provider.refused <= 12
    clock.move(24 * 3600)
    assert budget_of(limiter).release.seconds == 0


def test_refusals_in_spite_of_a_growing_delay_lower_the_limit(limiter: Limiter, clock: Clock, take: Take) -> None:
    """Another household uses the connection whenever a check begins."""
    limiter.configure(accounts=[AccountLimit(1, limit=2)], global_limit=0, stagger_delay=0, lease_ttl=600)
    limiter.open_now()
    first, second = take(1), take(1)
    limiter.release(first, succeeded=True)
    for count in itertools.count(1):
        assert count < 9
        clock.move(budget_of(limiter).release.seconds + 1)
        limiter.renew(second)
        answer = limiter.acquire(Request(f"again-{count}", 1), "h", enqueue=False)
        assert isinstance(answer, Granted)
        limiter.report_busy(answer.lease, retry_after=0)
        limiter.release(answer.lease)
        if budget_of(limiter).believed:
            break
    assert (budget_of(limiter).believed, budget_of(limiter).release.seconds) == (1, 0)
