from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from account_limiter import (
    AccountLimit,
    Budget,
    BudgetState,
    BudgetUsage,
    Granted,
    Lease,
    LeaseLost,
    Limiter,
    LimiterUnavailable,
    MachineLoad,
    Queued,
    QueueState,
    Refused,
    Request,
    connect,
    events_key,
    new_holder,
)
from account_limiter.redis.library import library

Take = Callable[..., Lease]
RequestOf = Callable[..., Request]


def states(limiter: Limiter) -> dict[str, str]:
    return {lease.lease_id: lease.state for lease in limiter.snapshot().leases}


def budget_of(limiter: Limiter, budget_id: str) -> BudgetState:
    return next(budget for budget in limiter.snapshot().budgets if budget.budget_id == budget_id)


def test_an_account_grants_no_more_slots_than_its_limit(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    take(2), take(2)
    assert limiter.acquire(request_of(2), "h", enqueue=False) == Refused("full")
    take(1)


def test_the_global_limit_holds_over_unlimited_accounts(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    for _ in range(4):
        take(3)
    assert limiter.acquire(request_of(3), "h", enqueue=False) == Refused("full")
    limiter.configure(global_limit=0)
    for _ in range(20):
        take(3)


def test_a_refused_acquire_takes_nothing(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    take(1)
    limiter.acquire(request_of(1), "h", enqueue=False)
    snapshot = limiter.snapshot()
    assert (snapshot.active, snapshot.waiting) == (1, 0)


def test_only_the_holder_may_repeat_an_acquire(limiter: Limiter, request_of: RequestOf) -> None:
    request = request_of(1)
    first = limiter.acquire(request, "mine")
    again = limiter.acquire(request, "mine")
    assert isinstance(first, Granted) and isinstance(again, Granted)
    assert again.lease.acquired_at == first.lease.acquired_at
    assert limiter.acquire(request, "other") == Refused("held")
    assert limiter.snapshot().active == 1


def test_release_may_be_repeated_and_needs_the_holder(limiter: Limiter, take: Take) -> None:
    lease = take(1)
    assert not limiter.release(dataclasses.replace(lease, holder="other"))
    assert limiter.release(lease)
    assert not limiter.release(lease)
    take(1)


def test_inactive_and_unknown_accounts_get_nothing(limiter: Limiter, request_of: RequestOf) -> None:
    limiter.configure(accounts=[AccountLimit(1, "one", 1, active=False)])
    assert limiter.acquire(request_of(1), "h") == Refused("inactive")
    assert limiter.acquire(request_of(9), "h") == Refused("unknown_account")
    assert limiter.snapshot().accounts[0].effective_limit == 0


def test_a_freed_slot_goes_to_the_first_waiter(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    lease = take(1)
    first, second = request_of(1), request_of(1)
    assert isinstance(limiter.acquire(first, "a"), Queued)
    assert isinstance(limiter.acquire(second, "b"), Queued)
    limiter.release(lease)
    assert states(limiter) == {first.lease_id: "granted"}
    assert isinstance(limiter.acquire(second, "b"), Queued)
    assert isinstance(limiter.acquire(first, "a"), Granted)
    assert states(limiter) == {first.lease_id: "held"}


def test_a_newcomer_never_overtakes_a_waiter_for_the_same_slot(
    limiter: Limiter, take: Take, request_of: RequestOf
) -> None:
    leases = [take(3) for _ in range(4)]
    waiter = request_of(2)
    limiter.acquire(waiter, "w")
    limiter.release(leases[0])
    assert isinstance(limiter.acquire(request_of(1), "newcomer"), Queued)
    assert states(limiter)[waiter.lease_id] == "granted"


def test_a_full_account_does_not_delay_other_accounts(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    take(1)
    for _ in range(5):
        limiter.acquire(request_of(1), "w")
    take(2)


def test_a_raised_limit_is_granted_to_all_waiters_that_fit(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    for _ in range(4):
        take(3)
    waiters = [request_of(account) for account in (1, 1, 2, 3, 2, 3)]
    for waiter in waiters:
        limiter.acquire(waiter, "w")
    limiter.configure(global_limit=8)
    granted = {lease_id for lease_id, state in states(limiter).items() if state == "granted"}
    assert granted == {waiters[i].lease_id for i in (0, 2, 3, 4)}


def test_higher_priority_goes_first_and_then_the_order_of_arrival(
    limiter: Limiter, take: Take, request_of: RequestOf
) -> None:
    limiter.configure(accounts=[AccountLimit(1, "low", 0), AccountLimit(2, "high", 0, priority=5)], global_limit=1)
    lease = take(1)
    low, high, urgent = request_of(1), request_of(2), request_of(1, priority=9)
    for waiter in (low, high, urgent):
        limiter.acquire(waiter, "w")
    order = []
    for _ in range(3):
        limiter.release(lease)
        (lease_id,) = states(limiter)
        order.append(lease_id)
        claimed = limiter.acquire(next(w for w in (low, high, urgent) if w.lease_id == lease_id), "w")
        assert isinstance(claimed, Granted)
        lease = claimed.lease
    assert order == [urgent.lease_id, high.lease_id, low.lease_id]


def test_a_waiter_that_comes_back_with_its_rank_has_its_old_place(
    limiter: Limiter, take: Take, request_of: RequestOf
) -> None:
    take(1)
    first, second = request_of(1), request_of(1)
    queued = limiter.acquire(first, "a")
    assert isinstance(queued, Queued)
    limiter.acquire(second, "b")
    limiter.drop(first.lease_id)
    assert limiter.acquire(first, "a", rank=queued.rank) == Queued(queued.rank, 0, "full")


def test_accounts_that_share_a_login_share_its_budget(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    login = (Budget("login", 2),)
    limiter.configure(accounts=[AccountLimit(1, budgets=login), AccountLimit(2, budgets=login)])
    take(1), take(2)
    assert limiter.acquire(request_of(1), "h", enqueue=False) == Refused("full")


def test_a_login_that_changes_its_name_keeps_its_leases_and_its_learned_limit(
    limiter: Limiter, take: Take, request_of: RequestOf
) -> None:
    def configure(*budget_ids: str) -> None:
        limiter.configure(accounts=[AccountLimit(n, budgets=(Budget(b, 2),)) for n, b in enumerate(budget_ids, 1)])

    configure("profile-1", "profile-2")
    limiter.set_viewers({"profile-2": 1})
    leases = [take(1), take(2)]
    configure("login-x", "login-x")
    budget = budget_of(limiter, "login-x")
    assert (budget.active, budget.viewers, budget.effective_limit) == (2, 1, 1)
    assert limiter.acquire(request_of(1), "h", enqueue=False) == Refused("full")
    assert [limiter.renew(lease).over for lease in leases] == [1, 1]
    limiter.set_viewers({})
    limiter.report_busy(leases[0], retry_after=0)
    configure("login-y", "login-y")
    assert budget_of(limiter, "login-y").believed == 1
    for lease in leases:
        assert limiter.release(lease)
    assert [budget.active for budget in limiter.snapshot().budgets] == [0]


def test_the_profiles_of_an_account_are_used_one_after_the_other(limiter: Limiter, take: Take) -> None:
    limiter.configure(accounts=[AccountLimit(1, budgets=(Budget("a", 1), Budget("b", 2)))])
    assert [take(1).budget_id for _ in range(3)] == ["a", "b", "b"]


def test_one_budget_cannot_have_two_limits(limiter: Limiter) -> None:
    with pytest.raises(ValueError, match="two limits"):
        limiter.configure(
            accounts=[AccountLimit(1, budgets=(Budget("x", 1),)), AccountLimit(2, budgets=(Budget("x", 2),))]
        )


@pytest.mark.parametrize("wrong", ["", "a|b", "a,b", "a\nb", "x" * 251])
def test_ids_that_could_break_a_record_are_refused(limiter: Limiter, wrong: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        limiter.acquire(Request(wrong, 1), new_holder())


def test_viewers_take_slots_and_give_them_back(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    limiter.set_viewers({"account-2": 1})
    take(2)
    waiter = request_of(2)
    limiter.acquire(waiter, "w")
    account = next(a for a in limiter.snapshot().accounts if a.account_id == 2)
    assert (account.effective_limit, account.viewers, account.active, account.waiting) == (1, 1, 1, 1)
    limiter.set_viewers({}, age=5)
    assert waiter.lease_id not in states(limiter), "an older count must not replace a newer one"
    limiter.set_viewers({})
    assert states(limiter)[waiter.lease_id] == "granted"


def test_a_lease_carries_the_use_of_its_budget_when_it_was_granted(limiter: Limiter, take: Take) -> None:
    limiter.configure(accounts=[AccountLimit(1, limit=4), AccountLimit(2)])
    limiter.set_viewers({"account-1": 1})
    assert take(1).usage == BudgetUsage(limit=4, active=1, viewers=1)
    second = take(1)
    assert (second.usage, second.usage.connections) == (BudgetUsage(limit=4, active=2, viewers=1), 3)
    limiter.report_busy(second, retry_after=0)
    limiter.release(second)
    assert take(2).usage == BudgetUsage(limit=0, active=1, viewers=0)
    limiter.set_viewers({})
    assert take(1).usage == BudgetUsage(limit=2, active=2, viewers=0), "the learned limit is in force"


def test_a_claimed_grant_and_a_repeated_acquire_carry_the_use_of_the_budget(
    limiter: Limiter, take: Take, request_of: RequestOf
) -> None:
    lease, waiter = take(1), request_of(1)
    limiter.acquire(waiter, "w")
    limiter.release(lease)
    for _ in range(2):
        answer = limiter.acquire(waiter, "w")
        assert isinstance(answer, Granted)
        assert answer.lease.usage == BudgetUsage(limit=1, active=1, viewers=0)


def test_viewers_do_not_limit_an_unlimited_account(limiter: Limiter, take: Take) -> None:
    limiter.set_viewers({"account-3": 50})
    take(3)


def test_a_refusal_lowers_the_learned_limit_and_pauses_the_account(
    limiter: Limiter, take: Take, request_of: RequestOf
) -> None:
    leases = [take(3) for _ in range(3)]
    assert limiter.report_busy(leases[2], retry_after=5) == 2
    limiter.release(leases[2])
    limiter.release(leases[1])
    queued = limiter.acquire(request_of(3), "w")
    assert isinstance(queued, Queued) and 4 < queued.due <= 5
    budget = budget_of(limiter, "account-3")
    assert (budget.believed, budget.effective_limit, budget.refusals, budget.limit) == (2, 2, 1, 0)


def test_a_suspicion_limits_an_account_until_it_is_settled_or_old(limiter: Limiter, take: Take, clock: Any) -> None:
    leases = [take(2), take(2)]

    def seen() -> tuple[int | None, int]:
        budget = budget_of(limiter, "account-2")
        return budget.effective_limit, budget.refusals

    assert limiter.suspect_busy(leases[1], retry_after=5) == 1
    assert seen() == (1, 0), "it is no evidence yet"
    clock.move(6)
    limiter.settle_suspicion(leases[1], right=False)
    assert seen() == (2, 0)
    limiter.suspect_busy(leases[1], retry_after=5)
    clock.move(20)
    assert seen() == (1, 0)
    limiter.renew(leases[1])
    clock.move(45)
    assert seen() == (2, 0)
    limiter.configure(lease_ttl=300)
    leases = [take(2), take(2)]
    limiter.suspect_busy(leases[1], retry_after=0)
    assert limiter.settle_suspicion(leases[1], right=True) == 1
    assert seen() == (1, 1)
    assert limiter.settle_suspicion(leases[1], right=True) == 1, "it is settled once"
    assert seen() == (1, 1)


def test_a_success_at_the_learned_limit_raises_it_after_a_while(limiter: Limiter, take: Take, clock: Any) -> None:
    leases = [take(2), take(2)]
    assert limiter.report_busy(leases[1], retry_after=0) == 1
    limiter.release(leases[1])
    limiter.release(leases[0], succeeded=True)
    assert limiter.snapshot().budgets[1].believed == 1, "too soon"
    clock.move(121)
    limiter.release(take(2), succeeded=True)
    budget = budget_of(limiter, "account-2")
    assert (budget.believed, budget.effective_limit) == (0, 2)


def test_starts_on_one_account_are_spaced(limiter: Limiter, take: Take) -> None:
    limiter.configure(stagger_delay=0.2)
    waits = [take(3).starts_in for _ in range(3)]
    assert waits[0] == 0
    assert 0.1 < waits[1] <= 0.2 < 0.3 < waits[2] <= 0.4
    assert take(2).starts_in == 0


def test_starts_of_waiters_that_are_granted_at_the_same_time_are_spaced(
    limiter: Limiter, take: Take, request_of: RequestOf, clock: Any
) -> None:
    limiter.configure(accounts=[AccountLimit(1, limit=9)], global_limit=1, stagger_delay=1)
    lease, waiters = take(1), [request_of(1) for _ in range(8)]
    clock.move(5)
    for waiter in waiters:
        limiter.acquire(waiter, "w")
    limiter.release(lease)
    limiter.configure(global_limit=20)
    starts, begin = [], clock.now
    for _ in range(20):
        for waiter in waiters:
            answer = limiter.acquire(waiter, "w") if states(limiter).get(waiter.lease_id) == "granted" else None
            if isinstance(answer, Granted):
                assert answer.lease.starts_in <= 4, "a slot is held for a short time before its start"
                starts.append(clock.now - begin + answer.lease.starts_in)
        clock.move(0.5)
        limiter.tick()
    assert len(starts) == 8
    assert all(later - earlier >= 0.999 for earlier, later in itertools.pairwise(sorted(starts)))


def test_a_grant_that_is_claimed_late_keeps_its_distance(
    limiter: Limiter, take: Take, request_of: RequestOf, clock: Any
) -> None:
    limiter.configure(accounts=[AccountLimit(1, limit=9)], global_limit=1, stagger_delay=1)
    lease, waiters = take(1), [request_of(1) for _ in range(3)]
    for waiter in waiters:
        limiter.acquire(waiter, "w")
    clock.move(5)
    limiter.release(lease)
    limiter.configure(global_limit=20)
    clock.move(10)
    answers = [limiter.acquire(waiter, "w") for waiter in waiters]
    assert [answer.lease.starts_in for answer in answers if isinstance(answer, Granted)] == [0, 1, 2]


def test_a_start_is_not_booked_far_ahead(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    limiter.configure(stagger_delay=10)
    take(3)
    queued = limiter.acquire(request_of(3), "w")
    assert isinstance(queued, Queued) and 6 < queued.due <= 7


def test_renewing_keeps_a_lease_and_the_slot_of_a_dead_holder_becomes_free(
    limiter: Limiter, take: Take, request_of: RequestOf
) -> None:
    limiter.configure(lease_ttl=0.15)
    alive, dead = take(2), take(2)
    waiter = request_of(2)
    limiter.acquire(waiter, "w")
    for _ in range(4):
        limiter.wait(request_of(1), "nobody", timeout=0.05)
        limiter.renew(alive)
    assert states(limiter)[waiter.lease_id] == "granted"
    assert dead.request.lease_id not in states(limiter)


def test_an_unclaimed_grant_goes_to_the_next_waiter(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    limiter.configure(grant_ttl=0.05)
    lease = take(1)
    gone, next_one = request_of(1), request_of(1)
    limiter.acquire(gone, "a")
    limiter.acquire(next_one, "b")
    limiter.release(lease)
    answer = limiter.wait(next_one, "b", timeout=0.5)
    assert isinstance(answer, Granted)


def test_a_waiter_without_a_triggerer_is_skipped_and_keeps_its_place(
    limiter: Limiter, take: Take, request_of: RequestOf, clock: Any
) -> None:
    lost, heard, newcomer, latest = (request_of(1) for _ in range(4))
    lease = take(1)
    limiter.acquire(lost, "w")
    clock.move(20)
    limiter.acquire(heard, "w")
    limiter.renew(lease)
    clock.move(6)
    limiter.release(lease)
    assert states(limiter) == {heard.lease_id: "granted"}
    limiter.drop(heard.lease_id)
    assert states(limiter) == {}, "a grant without a triggerer would waste a slot"
    answer = limiter.acquire(newcomer, "h")
    assert isinstance(answer, Granted)
    assert isinstance(limiter.acquire(latest, "w"), Queued)
    assert limiter._run("touch", lost.lease_id) == [b"waiting"]
    limiter.release(answer.lease)
    assert states(limiter) == {lost.lease_id: "granted"}


def test_the_next_waiter_is_found_behind_many_skipped_ones(
    limiter: Limiter, take: Take, request_of: RequestOf, clock: Any
) -> None:
    lease, heard = take(1), request_of(1)
    for _ in range(203):
        limiter.acquire(request_of(1), "w")
    clock.move(26)
    limiter.acquire(heard, "w")
    limiter.release(lease)
    assert states(limiter) == {heard.lease_id: "granted"}


def test_a_skipped_waiter_that_asks_again_gets_the_free_slot_at_once(
    limiter: Limiter, take: Take, request_of: RequestOf, clock: Any
) -> None:
    lost, lease = request_of(1), take(1)
    limiter.acquire(lost, "w")
    clock.move(26)
    limiter.release(lease)
    assert states(limiter) == {}
    assert isinstance(limiter.acquire(lost, "w"), Granted)


def test_no_lease_outlives_stale_after(limiter: Limiter, take: Take) -> None:
    limiter.configure(stale_after=0.05)
    lease = take(1)
    assert lease.ttl <= 0.05
    lease = dataclasses.replace(lease, asked_at=lease.asked_at - 0.06)
    with pytest.raises(LeaseLost, match="stale"):
        limiter.renew(lease)


def test_a_holder_from_before_a_reset_cannot_renew(limiter: Limiter, take: Take, request_of: RequestOf) -> None:
    lease = take(1)
    limiter.acquire(request_of(1), "w")
    answer = limiter.reset()
    assert (answer.released, answer.waiters_dropped) == (1, 1)
    assert limiter.snapshot().active == 0
    with pytest.raises(LeaseLost, match="reset"):
        limiter.renew(lease)


def test_after_a_reset_a_slot_is_given_away_when_its_holder_has_stopped(
    limiter: Limiter, take: Take, request_of: RequestOf
) -> None:
    lease = take(1)
    limiter.reset()
    waiter = request_of(1)
    assert isinstance(limiter.acquire(waiter, "w"), Queued)
    limiter.release(lease)
    assert states(limiter) == {waiter.lease_id: "granted"}


def test_after_a_reset_a_slot_is_given_away_when_its_holder_is_certain_to_have_stopped(
    limiter: Limiter, take: Take, clock: Any, request_of: RequestOf
) -> None:
    take(1)
    clock.move(10)
    limiter.reset()
    assert isinstance(limiter.acquire(request_of(1), "w"), Queued)
    clock.move(19.9)
    assert limiter.tick().granted == ()
    clock.move(0.1)
    assert len(limiter.tick().granted) == 1


def test_a_lowered_limit_lets_holders_end_and_asks_none_to_give_way(limiter: Limiter, take: Take) -> None:
    older, younger = take(2), take(2)
    limiter.configure(accounts=[AccountLimit(2, "two", 1)])
    renewed = limiter.renew(older), limiter.renew(younger)
    assert [(one.over, one.gives_way) for one in renewed] == [(1, False), (1, False)]


def test_waiters_kept_out_by_viewers_are_called_at_times_to_count_them_again(
    limiter: Limiter, clock: Any, redis_client: Redis, request_of: RequestOf
) -> None:
    heard = redis_client.pubsub(ignore_subscribe_messages=True)
    heard.subscribe(library().channel)
    heard.get_message(timeout=1)

    def called() -> list[bytes]:
        limiter.tick()
        found = iter(lambda: heard.get_message(timeout=0.05), None)
        return [message["data"] for message in found]

    limiter.set_viewers({"account-1": 1})
    first, second = request_of(1), request_of(1)
    for request in (first, second):
        assert isinstance(limiter.acquire(request, "h"), Queued)
    assert called() == []
    clock.move(11)
    assert called() == [b"called|" + first.lease_id.encode()]
    assert called() == []
    limiter._run("touch", first.lease_id)
    clock.move(16)
    assert called() == [b"called|" + first.lease_id.encode()]


def test_a_viewer_asks_the_youngest_to_give_way(limiter: Limiter, take: Take) -> None:
    older, younger = take(2), take(2)
    assert limiter.renew(older).over == 0
    limiter.set_viewers({"account-2": 1})
    renewed = limiter.renew(older), limiter.renew(younger)
    assert [one.over for one in renewed] == [1, 1]
    assert [one.gives_way for one in renewed] == [False, True]


@pytest.mark.parametrize("flush", ["script_flush", "function_flush"])
def test_a_server_that_lost_the_library_receives_it_again(
    limiter: Limiter, take: Take, request_of: RequestOf, redis_client: Redis, flush: str
) -> None:
    lease, waiter = take(1), request_of(1)
    limiter.acquire(waiter, "w")
    getattr(redis_client, flush)()
    assert limiter.acquire(request_of(1), "h", enqueue=False) == Refused("full")
    getattr(redis_client, flush)()
    limiter.renew(lease)
    getattr(redis_client, flush)()
    limiter.release(lease)
    assert isinstance(limiter.acquire(waiter, "w"), Granted)


def test_all_keys_lie_in_one_slot_of_a_cluster(
    limiter: Limiter, redis_client: Redis, take: Take, request_of: RequestOf, clock: Any
) -> None:
    keys: set[str] = set()

    def look() -> None:
        limiter.tick()
        keys.update(key.decode() for key in redis_client.scan_iter() if key.decode() != clock.KEY)

    lease = take(1, expected_seconds=1)
    limiter.acquire(request_of(1), "w")
    look()
    clock.move(11)
    limiter.release(lease, starved=True)
    look()
    refused = take(2)
    limiter.report_busy(refused)
    limiter.release(refused)
    limiter.set_viewers({"account-1": 1})
    limiter.acquire(request_of(2), "w")
    look()
    limiter.configure(global_limit=1)
    look()
    clock.move(400)
    look()
    limiter.configure(global_limit=0)
    limiter.set_release_delay("account-3", 5, "it says so")
    limiter.release(take(3))
    look()
    assert keys == set(library().keys.values()), "every key must be listed"
    assert all(key.startswith("{streamflow}:limiter:") for key in keys)


def test_the_queue_shows_its_oldest_waiter_and_the_waiters_without_a_triggerer(
    limiter: Limiter, take: Take, request_of: RequestOf, clock: Any
) -> None:
    limiter.configure(lease_ttl=60)
    assert limiter.queue() == QueueState(waiting=0, unattended=0, oldest_at=None)
    take(1), take(2), take(2)
    begin, first, second = clock.now, request_of(1), request_of(2)
    limiter.acquire(first, "w")
    clock.move(10)
    limiter.acquire(second, "w")
    assert limiter.queue() == QueueState(waiting=2, unattended=0, oldest_at=begin)
    clock.move(16)
    assert limiter.queue() == QueueState(waiting=2, unattended=1, oldest_at=begin)
    limiter.drop(first.lease_id)
    assert limiter.queue() == QueueState(waiting=1, unattended=0, oldest_at=begin + 10)


def test_without_redis_the_limiter_is_unavailable() -> None:
    with connect(unix_socket_path="/nonexistent/redis.sock") as redis, pytest.raises(LimiterUnavailable):
        Limiter(redis).snapshot()


def test_the_snapshot_carries_the_labels_of_a_request(limiter: Limiter, request_of: RequestOf) -> None:
    limiter.acquire(request_of(1, labels={"stream_id": 12, "dag_id": "d", "run_id": "a|b,c", "map_index": 3}), "h")
    (lease,) = limiter.snapshot().leases
    assert lease.account_id == 1
    assert lease.labels == {"stream_id": 12, "dag_id": "d", "run_id": "a|b,c", "map_index": 3}


def test_a_lowered_ttl_shortens_neither_a_lease_nor_the_wait_for_earlier_holders(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, restarted: Callable[[], None]
) -> None:
    limiter.configure(lease_ttl=60)
    lease = take(1)
    restarted()
    limiter.tick()
    limiter.configure(lease_ttl=10)
    clock.move(59)
    limiter.tick()
    assert lease.request.lease_id in states(limiter)
    assert limiter.acquire(request_of(2), "h", enqueue=False) == Refused("closed")
    clock.move(1)
    assert isinstance(limiter.acquire(request_of(2), "h", enqueue=False), Granted)


def test_a_lease_that_registered_before_the_ttl_was_configured_keeps_its_promised_life(
    limiter: Limiter, clock: Any, redis_client: Redis, take: Take
) -> None:
    limiter.configure(lease_ttl=10)
    lease = take(1)
    redis_client.delete(*library().keys.values())
    told = limiter.renew(lease).ttl
    limiter.configure(lease_ttl=10)
    limiter.tick()
    clock.move(told - 0.1)
    limiter.tick()
    assert lease.request.lease_id in states(limiter)


def test_a_claimed_limit_is_valid_for_a_day_and_connections_elsewhere_for_ten_minutes(
    limiter: Limiter, clock: Any, request_of: RequestOf
) -> None:
    assert limiter.claim("account-3", limit=3, elsewhere=1, words="the panel says 3")
    budget = budget_of(limiter, "account-3")
    assert (budget.limit, budget.believed_limit, budget.elsewhere, budget.effective_limit) == (0, 3, 1, 2)
    assert budget.evidence == ("the panel says 3, at 2027-01-15T08:00:00+00:00",)
    clock.move(600)
    assert budget_of(limiter, "account-3").effective_limit == 3
    clock.move(86_400)
    assert budget_of(limiter, "account-3").effective_limit is None


def test_the_information_of_every_event_is_a_json_object(
    limiter: Limiter, clock: Any, take: Take, request_of: RequestOf, redis_client: Redis
) -> None:
    limiter.claim("account-3", limit=3, elsewhere=1, words='the panel says "3"')
    limiter.acquire(request_of(1), "w")
    limiter.report_busy(take(3))
    clock.move(60)
    limiter.adapt(MachineLoad(3.0, 0.6), floor=1, ceiling=4)
    limiter.tick()
    limiter.reset()
    events = [fields for _, fields in redis_client.xrange(events_key())]
    assert {fields[b"kind"] for fields in events} >= {
        b"claimed",
        b"acquired",
        b"busy",
        b"expired",
        b"adapted",
        b"reset",
    }
    assert all(isinstance(json.loads(fields[b"info"]), dict) for fields in events)
    claimed = next(json.loads(fields[b"info"]) for fields in events if fields[b"kind"] == b"claimed")
    assert claimed == {"budget_id": "account-3", "limit": 3, "elsewhere": 1, "words": 'the panel says "3"'}


def test_a_claim_does_not_raise_the_configured_limit(limiter: Limiter) -> None:
    limiter.claim("account-1", limit=7, elsewhere=0, words="the panel says 7")
    assert budget_of(limiter, "account-1").effective_limit == 1
    assert not limiter.claim("nobody's", limit=1, elsewhere=0, words="")
    with pytest.raises(ValueError, match="-1"):
        limiter.claim("account-1", limit=-1, elsewhere=0, words="")


def test_absurd_numbers_of_connections_are_cut(limiter: Limiter, take: Take) -> None:
    limiter.claim("account-3", limit=10**23, elsewhere=10**30, words="the panel says 10^23")
    budget = budget_of(limiter, "account-3")
    assert (budget.claimed, budget.elsewhere, budget.effective_limit) == (1_000_000, 1_000_000, 0)
    limiter.claim("account-3", limit=10**23, elsewhere=0, words="the panel says 10^23")
    take(3)


def test_successes_raise_the_learned_limit_up_to_the_claim(limiter: Limiter, take: Take, clock: Any) -> None:
    limiter.claim("account-3", limit=2, elsewhere=0, words="the panel says 2")
    leases = [take(3), take(3)]
    assert limiter.report_busy(leases[1], retry_after=0) == 1
    for lease in leases:
        limiter.release(lease)
    clock.move(121)
    limiter.release(take(3), succeeded=True)
    budget = budget_of(limiter, "account-3")
    assert (budget.believed, budget.believed_limit) == (0, 2)


def test_waiters_get_slots_when_connections_elsewhere_expire(
    limiter: Limiter, clock: Any, request_of: RequestOf
) -> None:
    limiter.claim("account-1", limit=1, elsewhere=1, words="the panel says 1")
    waiter = request_of(1)
    assert isinstance(limiter.acquire(waiter, "w"), Queued)
    for _ in range(6):
        clock.move(100)
        limiter._run("touch", waiter.lease_id)
    assert limiter.tick().granted == (waiter.lease_id,)
