"""The transitions against a model of a few sets and loops, under random orders of events.

``STREAMFLOW_EXAMPLES`` is the number of histories: 5000 for the long form.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from account_limiter import (
    AccountLimit,
    Budget,
    BudgetUsage,
    Granted,
    Lease,
    LeaseLost,
    Limiter,
    MachineLoad,
    Queued,
    Refused,
    Request,
)
from account_limiter.core import records
from account_limiter.redis import library as library_module
from account_limiter.redis import transitions
from account_limiter.redis.library import library

EXAMPLES = int(os.environ.get("STREAMFLOW_EXAMPLES", "200"))
HEAD_START = 3600.0
WAITER_LIFE, HEARD = 40.0, 25.0
RAISE_AFTER = 120.0
CLAIM_LIFE, ELSEWHERE_LIFE = 86_400.0, 600.0
SUSPECTED = 60.0
BOOKING = 3.0
STEP = 10.0
SILENT, SETTLE = 3.0, 1.2
CALL_LIFE_MS, CALLED_LIMIT = 6000, 2
BUSY, EVEN, CALM = MachineLoad(3.0, 0.6), MachineLoad(1.2, 0.6), MachineLoad(0.2, 0.6)


@dataclass(kw_only=True)
class HeldLease:
    state: str = ""
    holder: str = ""
    account: str
    budget: str
    generation: float
    expires: float = 0.0
    hard_end: float = 0.0
    starts_at: float = 0.0
    refused: bool = False


@dataclass
class Waiter:
    account: str
    rank: str
    touched: float


def lower(one: int, other: int) -> int:
    """Return the lower of two limits; 0 stands for none."""
    return min(one, other) if one and other else one or other


def spaced(start: float, now: float, stagger: float, span: float) -> float:
    """Return the seconds until ``stagger`` has passed after a start that is not further ahead than ``span``."""
    wait = round(start + stagger - now, 3)
    return 0.0 if stagger == 0 or wait <= 0 or round(start - now, 3) > span + stagger else wait


@dataclass
class Login:
    limit: int
    believed: int = 0
    viewers: int = 0
    claimed: int = 0
    claimed_at: float = 0.0
    elsewhere: int = 0
    cool_until: float = 0.0
    learned_at: float = 0.0
    suspected: int = 0
    suspected_until: float = 0.0
    booked_start: float = 0.0
    last_start: float = 0.0
    release_delay: float = 0.0

    def inherit(self, old: Login) -> None:
        self.viewers += old.viewers
        self.believed, self.suspected = lower(self.believed, old.believed), lower(self.suspected, old.suspected)
        for name in ("learned_at", "suspected_until", "cool_until", "booked_start", "last_start"):
            setattr(self, name, max(getattr(self, name), getattr(old, name)))
        if old.claimed_at > self.claimed_at:
            self.claimed, self.claimed_at, self.elsewhere = old.claimed, old.claimed_at, old.elsewhere

    def bound(self, now: float) -> int:
        return lower(self.limit, self.claimed) if now - self.claimed_at < CLAIM_LIFE else self.limit

    def others(self, now: float) -> int:
        return self.viewers + (self.elsewhere if now - self.claimed_at < ELSEWHERE_LIFE else 0)

    def suspicion(self, now: float) -> int:
        return self.suspected if now < self.suspected_until else 0

    def ceiling(self, now: float) -> float:
        most = self.limit_in_force(now)
        return max(0, most - self.others(now)) if most else float("inf")

    def limit_in_force(self, now: float) -> int:
        return lower(self.bound(now), lower(self.believed, self.suspicion(now)))

    def starts_in(self, now: float, stagger: float) -> float:
        return spaced(self.booked_start, now, stagger, BOOKING)

    def book_start(self, now: float, stagger: float) -> float:
        if stagger:
            self.booked_start = round(now + self.starts_in(now, stagger), 3)
        return self.booked_start if stagger else 0.0

    def claim_start(self, now: float, stagger: float, grant_ttl: float, booked: float) -> float:
        if not stagger:
            return 0.0
        wait = min(max(0.0, round(booked - now, 3)), BOOKING + stagger)
        wait = max(wait, spaced(self.last_start, now, stagger, BOOKING + grant_ttl))
        self.last_start = round(now + wait, 3)
        return wait


@dataclass
class Model:
    """The expected behaviour of the transitions, written for clarity alone. Times are seconds."""

    now: float
    global_limit: int = 10
    adapted: int = 0
    adapted_at: float = 0.0
    stagger: float = 0.2
    ttl: float = 30.0
    stale_after: float = 3600.0
    grant_ttl: float = 20.0
    closed_until: float = 0.0
    generation: float = 0.0
    configured: bool = False
    ttl_known: bool = False
    accounts: dict[str, AccountLimit] = field(default_factory=dict)
    logins: dict[str, Login] = field(default_factory=dict)
    leases: dict[str, HeldLease] = field(default_factory=dict)
    waiters: dict[str, Waiter] = field(default_factory=dict)

    # Time without a transition before the next one.
    silence: float = 0.0
    quiet_until: float = 0.0
    # Closed connections that still count: budget, lease and time of the end, with the time until which they count.
    lingering: dict[tuple[str, str, float], float] = field(default_factory=dict)
    # Booked start of the latest lease.
    starts_in: float = 0.0

    def begin(self) -> None:
        gap, self.silence = self.silence, 0.0
        longest_beat = 1.5 * min(10, self.ttl / 3)
        pause = SETTLE if gap >= SILENT else 0.0
        if gap >= longest_beat and self.leases:
            pause = max(pause, longest_beat)
        if pause:
            self.quiet_until = max(self.quiet_until, round(self.now + pause, 3))
        self.lingering = {closed: until for closed, until in self.lingering.items() if until > self.now}
        for lease_id in [key for key, lease in self.leases.items() if lease.expires <= self.now]:
            self.end(lease_id)

    def end(self, lease_id: str) -> None:
        lease = self.leases.pop(lease_id)
        login = self.logins.get(lease.budget)
        if login and login.release_delay and lease.state == "held" and not lease.refused:
            self.lingering[lease.budget, lease_id, self.now] = round(self.now + login.release_delay, 3)

    @property
    def is_closed(self) -> bool:
        return max(self.closed_until, self.quiet_until) > self.now

    def held(self, budget: str) -> int:
        leases = sum(lease.budget == budget for lease in self.leases.values())
        return leases + sum(closed[0] == budget for closed in self.lingering)

    def usage(self, budget: str) -> BudgetUsage:
        login = self.logins.get(budget, Login(0))
        return BudgetUsage(login.limit_in_force(self.now), self.held(budget), login.viewers)

    @property
    def most(self) -> int:
        return lower(self.global_limit, self.adapted)

    def room(self) -> bool:
        return self.most == 0 or len(self.leases) < self.most

    def login_has_room(self, budget: str) -> bool:
        return self.held(budget) < self.logins[budget].ceiling(self.now)

    def over(self, budget: str) -> bool:
        return budget in self.logins and self.held(budget) > self.logins[budget].ceiling(self.now)

    def fitting(self, account: str) -> str | None:
        for budget in self.accounts[account].sources:
            login = self.logins.get(budget.budget_id)
            if login and self.login_has_room(budget.budget_id):
                soon = login.starts_in(self.now, self.stagger) <= BOOKING
                if soon and login.cool_until <= self.now:
                    return budget.budget_id
        return None

    def barred(self, account: str) -> str | None:
        known = self.accounts.get(account)
        return None if known and known.active else "inactive" if known else "unknown_account"

    def order(self) -> list[str]:
        def key(lease_id: str) -> tuple[float, str, str]:
            waiter = self.waiters[lease_id]
            return (
                int(waiter.rank) / 1e6 - self.accounts[waiter.account].priority * HEAD_START,
                waiter.account,
                lease_id,
            )

        return sorted((one for one, waiter in self.waiters.items() if not self.barred(waiter.account)), key=key)

    def grant_all(self) -> None:
        self.waiters = {key: one for key, one in self.waiters.items() if one.touched > self.now - WAITER_LIFE}
        if self.is_closed:
            return
        full: set[str] = set()
        for lease_id in self.order():
            if self.waiters[lease_id].touched <= self.now - HEARD:
                continue
            account = self.waiters[lease_id].account
            if account in full or not self.room():
                continue
            budget = self.fitting(account)
            if budget is None:
                full.add(account)
                continue
            del self.waiters[lease_id]
            end = self.now + self.grant_ttl
            start = self.logins[budget].book_start(self.now, self.stagger)
            self.leases[lease_id] = HeldLease(
                state="granted",
                account=account,
                budget=budget,
                generation=self.generation,
                expires=end,
                hard_end=end,
                starts_at=start,
            )

    def take(self, lease: HeldLease, holder: str) -> str:
        if login := self.logins.get(lease.budget):
            self.starts_in = login.claim_start(self.now, self.stagger, self.grant_ttl, lease.starts_at)
        lease.state, lease.holder, lease.hard_end = "held", holder, self.now + self.stale_after
        lease.expires = min(self.now + self.ttl, lease.hard_end)
        return "granted"

    def acquire(self, lease_id: str, holder: str, account: str, *, enqueue: bool) -> str:
        self.begin()
        known = self.leases.get(lease_id)
        if known and known.state == "granted" and self.over(known.budget):
            del self.leases[lease_id]
        if lease_id not in self.leases:
            if why := self.barred(account):
                return why
            if waiter := self.waiters.get(lease_id):
                waiter.touched = self.now
            self.grant_all()
        if lease := self.leases.get(lease_id):
            if lease.state == "granted":
                return self.take(lease, holder)
            if lease.holder != holder:
                return "held"
            lease.expires = min(self.now + self.ttl, lease.hard_end)
            return "granted"
        if lease_id in self.waiters:
            return "queued"
        closed = self.is_closed
        budget = self.fitting(account) if self.room() and not closed else None
        if budget:
            start = self.logins[budget].book_start(self.now, self.stagger)
            self.leases[lease_id] = HeldLease(
                account=account, budget=budget, generation=self.generation, starts_at=start
            )
            return self.take(self.leases[lease_id], holder)
        if enqueue:
            return "queued"
        return "closed" if closed else "full"

    def renew(self, lease: Lease, life: float) -> str:
        self.begin()
        lease_id = lease.request.lease_id
        if lease.generation / 1000 < self.generation:
            return "reset"
        if life <= 0:
            return "stale"
        if known := self.leases.get(lease_id):
            if known.state != "held" or known.holder != lease.holder:
                return "taken"
        else:
            if not self.configured:
                self.global_limit, self.configured = lease.global_limit, True
            account, budget = str(lease.request.account_id), lease.budget_id
            if budget not in self.logins and account in self.accounts:
                budget = self.accounts[account].sources[0].budget_id
            self.logins.setdefault(budget, Login(lease.budget_limit))
            if not self.room() or not self.login_has_room(budget):
                return "full"
            known = HeldLease(
                state="held",
                holder=lease.holder,
                account=account,
                budget=budget,
                generation=lease.generation / 1000,
                hard_end=self.now + life,
            )
            self.leases[lease_id] = known
        known.expires = min(self.now + self.ttl, known.hard_end)
        self.grant_all()
        return "renewed"

    def release(self, lease_id: str, holder: str, *, succeeded: bool = False) -> bool:
        self.begin()
        lease = self.leases.get(lease_id)
        if lease and (lease.state == "granted" or lease.holder == holder):
            if succeeded:
                self.learn(lease.budget)
            self.end(lease_id)
        elif lease or not self.waiters.pop(lease_id, None):
            return False
        self.grant_all()
        return True

    def learn(self, budget: str) -> None:
        login = self.logins.get(budget)
        if not login or not login.believed or self.now - login.learned_at < RAISE_AFTER:
            return
        if self.held(budget) >= login.believed - login.others(self.now):
            login.believed, login.learned_at = login.believed + 1, self.now
            self.forget_what_is_no_limit(login)

    def forget_what_is_no_limit(self, login: Login) -> None:
        most = login.bound(self.now)
        if most and login.believed >= most:
            login.believed = 0

    def claim(self, budget: str, limit: int, elsewhere: int) -> bool:
        self.begin()
        if login := self.logins.get(budget):
            login.claimed, login.elsewhere, login.claimed_at = limit, elsewhere, self.now
            self.forget_what_is_no_limit(login)
            self.grant_all()
        return login is not None

    def adapt(self, direction: int, floor: int, ceiling: int) -> int:
        self.begin()
        ceiling = lower(ceiling, self.global_limit)
        current = lower(ceiling, self.adapted)
        if abs(round(self.now - self.adapted_at, 3)) < STEP:
            return current
        following = min(current - 1, current * 8 // 10) if direction < 0 else current + direction
        following = min(ceiling, max(min(floor, ceiling), following))
        if following != self.adapted:
            self.adapted, self.adapted_at = following, self.now
            self.grant_all()
        return following

    def busy(self, lease: Lease, kind: str, retry_after: float) -> int | None:
        self.begin()
        known = self.leases.get(lease.request.lease_id)
        login = self.logins.get(known.budget) if known and known.holder == lease.holder else None
        if not known or not login:
            return None
        known.refused = known.refused or kind in ("refused", "suspected")
        worked = max(1, self.held(known.budget) - 1 + login.others(self.now))
        suspected, login.suspected = login.suspicion(self.now), 0
        if kind == "suspected":
            login.suspected, login.suspected_until = lower(worked, suspected), self.now + retry_after + SUSPECTED
        elif kind == "refused" or (kind == "confirmed" and suspected):
            login.believed = lower(login.believed, worked if kind == "refused" else suspected)
            login.learned_at = self.now
        login.cool_until = max(login.cool_until, self.now + retry_after)
        self.grant_all()
        return lower(login.believed, login.suspected)

    def configure(self, accounts: list[AccountLimit]) -> None:
        self.begin()
        kept = {budget.budget_id: budget for account in accounts for budget in account.sources}
        self.renamed = self.rename(accounts, set(kept))
        for lease in self.leases.values():
            lease.budget = self.renamed.get(lease.budget, lease.budget)
        self.lingering = {
            (self.renamed.get(budget, budget), *rest): until for (budget, *rest), until in self.lingering.items()
        }
        self.accounts = {str(account.account_id): account for account in accounts}
        for budget, known in kept.items():
            login = self.logins.setdefault(budget, Login(known.limit))
            login.limit, login.release_delay = known.limit, known.release_delay or 0.0
            self.forget_what_is_no_limit(login)
        self.logins = {key: login for key, login in self.logins.items() if key in kept or self.held(key)}
        self.grant_all()

    def rename(self, accounts: list[AccountLimit], kept: set[str]) -> dict[str, str]:
        """Return the new budgets by the old ones, and let new budgets inherit what is known of old ones."""
        renamed: dict[str, str] = {}
        created: dict[str, Login] = {}
        for account in accounts:
            old = self.accounts.get(str(account.account_id))
            for i, budget in enumerate(old.sources if old else ()):
                login = self.logins.get(budget.budget_id)
                if login and budget.budget_id not in kept | set(renamed):
                    target = account.sources[i if i < len(account.sources) else 0].budget_id
                    renamed[budget.budget_id] = target
                    if target not in self.logins:
                        created.setdefault(target, Login(0)).inherit(login)
        self.logins |= created
        return renamed

    def reset(self) -> tuple[int, int]:
        self.begin()
        current = sum(lease.generation >= self.generation for lease in self.leases.values())
        counts = current, len(self.waiters)
        self.leases = {key: lease for key, lease in self.leases.items() if lease.state == "held"}
        self.waiters = {}
        self.generation = max(self.now, round(self.generation + 0.001, 3))
        return counts


IDS = st.sampled_from([f"lease-{n}" for n in range(9)])
HOLDERS = st.sampled_from(["h1", "h2"])
NUMBERS = st.sampled_from(["1", "2", "3", "4"])
# Low limits and delays are the interesting ones; 0 is unlimited.
LIMITS = st.sampled_from([1, 1, 2, 2, 3, 0])
BUDGETS = st.sampled_from(["shared", "spare", "account-1", "login-1"])
GLOBAL_LIMITS = st.sampled_from([4, 3, 2, 1, 0])
DELAYS = st.sampled_from([None, 3.0, 30.0, 0.0])
KINDS = st.sampled_from(["refused", "suspected", "confirmed", "unfounded"])
PRIORITIES = st.sampled_from([0, 0, 0, 1])
STAGGERS = st.sampled_from([0.0, 0.0, 0.2, 2.0])


def finite(limit: float) -> int | None:
    return None if limit == float("inf") else int(limit)


@st.composite
def account_lists(draw: st.DrawFn) -> list[AccountLimit]:
    """Return accounts with their own login, two that share one, and one with a second profile.

    The login of account 1 changes its name, and account 2 may share it.
    """
    login = Budget("login-1", draw(LIMITS), draw(DELAYS))
    shared, spare = Budget("shared", draw(LIMITS), draw(DELAYS)), Budget("spare", draw(LIMITS))
    own = Budget("own", draw(LIMITS))
    active = st.sampled_from([True, True, True, False])
    known = [
        AccountLimit(
            1,
            limit=draw(LIMITS),
            priority=draw(PRIORITIES),
            active=draw(active),
            budgets=draw(st.sampled_from([(), (login,)])),
        ),
        AccountLimit(
            2,
            priority=draw(PRIORITIES),
            active=draw(active),
            budgets=(draw(st.sampled_from([shared, shared, login])),),
        ),
        AccountLimit(3, active=draw(active), budgets=(shared, spare)),
        AccountLimit(4, budgets=(own, spare)),
    ]
    return known[: draw(st.sampled_from([4, 3, 2]))]


class Contention(RuleBasedStateMachine):
    """Holders of one limiter that acquire, renew, are late, die and return."""

    leases = Bundle("leases")
    redis: Redis
    clock: Any
    restarted: Callable[[], None]

    @initialize(accounts=account_lists(), limit=GLOBAL_LIMITS, stagger=STAGGERS)
    def prepare(self, accounts: list[AccountLimit], limit: int, stagger: float) -> None:
        self.redis.delete(*library().keys.values())
        self.clock.set(1_800_000_000.0)
        self.limiter = Limiter(self.redis)
        self.model = Model(self.clock.now)
        # The end of each holder's lease as the holder knows it.
        self.believed: dict[tuple[str, str], tuple[float, str]] = {}
        self.limiter.tick()
        self.limiter.open_now()
        self.set_limits(limit, 30, stagger)
        self.set_accounts(accounts)

    def believers(self, budget: str | None = None) -> int:
        return sum(until > self.clock.now and budget in (None, known) for until, known in self.believed.values())

    @rule(target=leases, lease_id=IDS, account=NUMBERS, priority=PRIORITIES)
    def come(self, lease_id: str, account: str, priority: int) -> Any:
        return self.acquire(lease_id, "h1", account, True, priority)

    @precondition(lambda self: self.granted())
    @rule(target=leases, data=st.data())
    def claim(self, data: st.DataObject) -> Any:
        lease_id = data.draw(st.sampled_from(self.granted()))
        return self.acquire(lease_id, "h1", self.model.leases[lease_id].account, True, 0)

    def granted(self) -> list[str]:
        return sorted(key for key, lease in self.model.leases.items() if lease.state == "granted")

    @rule(target=leases, lease_id=IDS, holder=HOLDERS, account=NUMBERS, enqueue=st.booleans(), priority=PRIORITIES)
    def acquire(self, lease_id: str, holder: str, account: str, enqueue: bool, priority: int) -> Any:
        before = dict(self.model.leases)
        expected = self.model.acquire(lease_id, holder, account, enqueue=enqueue)
        answer = self.limiter.acquire(Request(lease_id, account, 5, priority), holder, enqueue=enqueue)
        match answer:
            case Refused(reason):
                assert reason == expected
            case Queued(rank):
                assert expected == "queued"
                self.model.waiters.setdefault(lease_id, Waiter(account, rank, self.model.now))
            case Granted(lease):
                assert expected == "granted"
                assert lease.usage == self.model.usage(lease.budget_id)
                fresh = before.get(lease_id) is None or before[lease_id].state == "granted"
                if fresh:
                    self.no_limit_is_exceeded_by(lease)
                    assert lease.starts_in == self.model.starts_in
                self.believed[lease_id, holder] = self.clock.now + lease.ttl, lease.budget_id
                return dataclasses.replace(lease, asked_at=self.clock.now)
        return multiple()

    def no_limit_is_exceeded_by(self, lease: Lease) -> None:
        self.believed.pop((lease.request.lease_id, lease.holder), None)
        assert self.believers(lease.budget_id) < self.model.logins[lease.budget_id].ceiling(self.clock.now)
        assert self.model.most == 0 or self.believers() < self.model.most

    @rule(lease=leases)
    def renew(self, lease: Lease) -> None:
        key = lease.request.lease_id, lease.holder
        expected = self.model.renew(lease, transitions._ms(lease.life - lease.age) / 1000)
        try:
            renewed = self.limiter.renew(lease)
        except LeaseLost as lost:
            assert lost.reason == expected
            if lost.reason != "taken":
                self.believed.pop(key, None)
        else:
            assert expected == "renewed"
            self.believed[key] = self.clock.now + renewed.ttl, self.model.leases[key[0]].budget

    @rule(lease=consumes(leases), succeeded=st.booleans())
    def release(self, lease: Lease, succeeded: bool) -> None:
        expected = self.model.release(lease.request.lease_id, lease.holder, succeeded=succeeded)
        assert self.limiter.release(lease, succeeded=succeeded) == expected
        self.believed.pop((lease.request.lease_id, lease.holder), None)

    @rule(lease_id=IDS)
    def drop(self, lease_id: str) -> None:
        assert self.limiter.drop(lease_id) == self.model.release(lease_id, "")

    @rule(lease=leases, kind=KINDS, retry_after=st.sampled_from([0.0, 5.0]))
    def busy(self, lease: Lease, kind: str, retry_after: float) -> None:
        expected = self.model.busy(lease, kind, retry_after)
        assert self.limiter._busy(lease, kind, retry_after) == expected

    @rule(lease_ids=st.lists(IDS, min_size=1, max_size=4, unique=True))
    def touch(self, lease_ids: list[str]) -> None:
        self.model.begin()
        expected = []
        for lease_id in lease_ids:
            if waiter := self.model.waiters.get(lease_id):
                waiter.touched = self.model.now
                expected.append(self.model.barred(waiter.account) or "waiting")
                if expected[-1] != "waiting":
                    del self.model.waiters[lease_id]
            else:
                lease = self.model.leases.get(lease_id)
                expected.append(lease.state if lease else "gone")
        self.model.grant_all()
        assert [state.decode() for state in self.limiter._run("touch", *lease_ids)] == expected

    @rule(lease_id=IDS, account=NUMBERS)
    def enqueue(self, lease_id: str, account: str) -> None:
        self.model.begin()
        request = Request(lease_id, account)
        answer = transitions.enqueued(self.limiter._run("enqueue", *transitions.enqueue_args(request, "")))
        if lease := self.model.leases.get(lease_id):
            assert answer == lease.state
        elif why := self.model.barred(account):
            assert answer == Refused(why)
        else:
            if waiter := self.model.waiters.get(lease_id):
                waiter.touched = self.model.now
            else:
                # The reply has no rank when the slot is granted at once; a newcomer is the last in any case.
                rank = answer.rank if isinstance(answer, Queued) else f"{self.clock.now * 1e6 + 999_999:017.0f}"
                self.model.waiters[lease_id] = Waiter(account, rank, self.model.now)
            self.model.grant_all()
            assert (lease_id in self.model.waiters) == isinstance(answer, Queued)

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 30.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.model.now = self.clock.now

    @rule(seconds=st.sampled_from([4.0, 9.0, 20.0]))
    def hang(self, seconds: float) -> None:
        self.clock.hang(seconds)
        self.model.now, self.model.silence = self.clock.now, seconds

    @rule()
    def tick(self) -> None:
        self.model.begin()
        self.model.grant_all()
        assert sorted(self.limiter.tick().granted) == self.granted()

    def reset(self) -> None:
        answer = self.limiter.reset()
        assert (answer.released, answer.waiters_dropped) == self.model.reset()

    def set_accounts(self, accounts: list[AccountLimit]) -> None:
        self.model.configure(accounts)
        self.limiter.configure(accounts=accounts)
        self.believed = {
            key: (until, self.model.renamed.get(budget, budget)) for key, (until, budget) in self.believed.items()
        }

    def set_limits(self, limit: int, ttl: float, stagger: float) -> None:
        self.model.begin()
        if self.model.closed_until > self.model.now:
            longer = ttl - self.model.ttl
            self.model.closed_until += max(0, longer) if self.model.ttl_known else longer
        self.model.global_limit, self.model.ttl, self.model.stagger = limit, ttl, stagger
        self.model.configured = self.model.ttl_known = True
        self.model.grant_all()
        self.limiter.configure(global_limit=limit, lease_ttl=ttl, stagger_delay=stagger)

    def see_viewers(self, viewers: dict[str, int], complete: bool) -> None:
        self.model.begin()
        for budget, login in self.model.logins.items():
            login.viewers = viewers.get(budget, 0 if complete else login.viewers)
        self.model.grant_all()
        self.limiter.set_viewers(viewers, complete=complete)

    def restart_redis(self, forget: bool) -> None:
        if forget:
            self.redis.delete(*library().keys.values())
            self.model = Model(self.clock.now, silence=self.model.silence)
        else:
            self.restarted()
        self.model.closed_until = self.model.now + self.model.ttl
        self.tick()

    def claim_of_provider(self, budget: str, limit: int, elsewhere: int) -> None:
        expected = self.model.claim(budget, limit, elsewhere)
        assert self.limiter.claim(budget, limit=limit, elsewhere=elsewhere, words="it says so") == expected

    def adapt(self, reading: MachineLoad) -> None:
        expected = self.model.adapt(reading.direction, 1, 3)
        assert self.limiter.adapt(reading, floor=1, ceiling=3) == expected

    @rule(
        data=st.data(),
        kind=st.sampled_from(
            ["reset", "accounts", "limits", "limits", "viewers", "claim", "claim", "adapt", "adapt", "restart", "time"]
        ),
    )
    def upheaval(self, data: st.DataObject, kind: str) -> None:
        """Apply one rare event. A single rule for all of them leaves time for queues to grow."""
        match kind:
            case "reset":
                self.reset()
            case "accounts":
                self.set_accounts(data.draw(account_lists()))
            case "limits":
                ttl = data.draw(st.sampled_from([30, 30, 10, 60]))
                self.set_limits(data.draw(GLOBAL_LIMITS), ttl, data.draw(STAGGERS))
            case "viewers":
                self.see_viewers(data.draw(st.dictionaries(BUDGETS, st.integers(0, 2))), data.draw(st.booleans()))
            case "claim":
                self.claim_of_provider(data.draw(BUDGETS), data.draw(LIMITS), data.draw(st.integers(0, 2)))
            case "adapt":
                self.adapt(data.draw(st.sampled_from([BUSY, EVEN, CALM])))
            case "restart":
                self.restart_redis(data.draw(st.booleans()))
            case _:
                self.pass_time(data.draw(st.sampled_from([30.0, 119.0, 3600.0])))

    @invariant()
    def both_know_the_same(self) -> None:
        snapshot, model = self.limiter.snapshot(), self.model
        shown = {
            one.lease_id: (one.state, str(one.account_id), one.budget_id, round(one.expires_at, 1))
            for one in snapshot.leases
        }
        assert shown == {
            key: (one.state, one.account, one.budget, round(one.expires, 1))
            for key, one in model.leases.items()
            if one.generation >= model.generation and one.expires > model.now
        }
        living = [waiter for waiter in model.waiters.values() if waiter.touched > model.now - WAITER_LIFE]
        assert snapshot.waiting == len(living)
        assert {str(a.account_id): a.waiting for a in snapshot.accounts} == {
            key: sum(waiter.account == key for waiter in living) for key in model.accounts
        }
        assert snapshot.global_limit == model.most
        assert {
            b.budget_id: (b.active + b.lingering, b.believed, b.viewers, b.elsewhere, b.effective_limit)
            for b in snapshot.budgets
        } == {
            key: (
                model.held(key),
                login.believed,
                login.viewers,
                login.others(model.now) - login.viewers,
                finite(login.ceiling(model.now)),
            )
            for key, login in model.logins.items()
        }

    @invariant()
    def no_more_are_called_than_may_be_and_only_who_waits(self) -> None:
        called = dict(self.redis.zrange(library().keys["called"], 0, -1, withscores=True))
        assert {lease_id.decode() for lease_id in called} <= set(self.model.waiters)
        assert sum(at > self.clock.now * 1000 - CALL_LIFE_MS for at in called.values()) <= CALLED_LIMIT

    def teardown(self) -> None:
        """Check that every waiter is served in the end and that every slot is free then."""
        if not hasattr(self, "model"):
            return
        self.see_viewers({}, True)
        for _ in range(6):
            self.pass_time(ELSEWHERE_LIFE / 6)
            self.touch(sorted(self.model.waiters) or ["none"])
        self.set_accounts([AccountLimit(n, limit=1) for n in range(1, 5)])
        for _ in range(len(self.model.waiters) + 1):
            self.pass_time(60)
            self.touch(sorted(self.model.waiters) or ["none"])
            for lease_id, lease in list(self.model.leases.items()):
                if lease.state == "granted":
                    self.drop(lease_id)
            self.both_know_the_same()
        assert self.model.waiters == {}
        self.pass_time(60)
        self.tick()
        for key in (
            "leases",
            "expiry",
            "held",
            "lingering",
            "granted",
            "ends",
            "waiters",
            "queue",
            "touched",
            "called",
        ):
            assert not self.redis.exists(library().keys[key]), key


# Hypothesis shrinks a failing history for up to five minutes.
@pytest.mark.timeout(600)
def test_the_transitions_behave_as_the_model(
    redis_client: Redis, clock: Any, restarted: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The holders' clock follows the clock of Redis.
    monkeypatch.setattr(records, "time", SimpleNamespace(monotonic=lambda: clock.now))

    # The index of candidates has to be right without its regular rebuilding.
    tick = library_module.FOLDER / "tick.lua"
    text = tick.read_text()
    assert "REBUILD_MS = 10 * 1000" in text
    tick.write_text(text.replace("REBUILD_MS = 10 * 1000", "REBUILD_MS = 1e15"))
    # Learned delays have tests of their own.
    busy = library_module.FOLDER / "busy.lua"
    learned = "return closed and math.max(1, began - closed) or 0"
    assert learned in busy.read_text()
    busy.write_text(busy.read_text().replace(learned, "return 0"))
    library.cache_clear()

    class Here(Contention):
        pass

    Here.redis, Here.clock, Here.restarted = redis_client, clock, staticmethod(restarted)
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            database=None,
        ),
    )
