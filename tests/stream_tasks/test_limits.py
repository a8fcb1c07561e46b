from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from account_limiter import Granted, Limiter, Request, connect
from stream_tasks import limits
from stream_tasks.limits import (
    NO_ACCOUNT,
    configure,
    count_viewers,
    exceeded_accounts,
    limited_accounts,
    refresh_viewers,
)
from streamflow.config import Config
from streamflow.records import Account, Profile


def account(account_id: int, **fields: Any) -> Account:
    return Account(id=account_id, name=f"account {account_id}", budget=f"profile-{account_id}0", **fields)


class Accounts:
    """The part of a store that holds accounts."""

    def __init__(self, *known: Account) -> None:
        self.known = list(known)
        self.library = self

    def accounts(self) -> list[Account]:
        return self.known


def test_the_limiter_gets_the_accounts_their_priorities_and_one_for_streams_without_account() -> None:
    settings = Config.model_validate({"concurrent_streams": {"account_priority": {"2": 5, "account 1": 3}}})
    made = limited_accounts([account(1, max_streams=2), account(2, is_active=False)], settings)
    assert [(one.account_id, one.limit, one.priority, one.active) for one in made] == [
        (1, 2, 3, True), (2, 0, 5, False), (NO_ACCOUNT, 0, 0, True),
    ]  # fmt: skip


def test_further_profiles_of_an_account_add_budgets() -> None:
    profiles = (
        Profile(id=10, is_default=True, max_streams=2),
        Profile(id=11, max_streams=3),
        Profile(id=12, max_streams=9, is_active=False),
    )
    (made, _) = limited_accounts([account(1, max_streams=2, profiles=profiles)], Config())
    assert [(budget.budget_id, budget.limit) for budget in made.budgets] == [("profile-10", 2), ("profile-11", 3)]


def test_accounts_that_share_a_login_get_the_lowest_limit(redis_client: Redis) -> None:
    shared = [Account(id=i, name=str(i), budget="login-x", max_streams=n) for i, n in ((1, 0), (2, 3), (3, 2))]
    made = limited_accounts(shared, Config())
    assert {budget.limit for one in made[:3] for budget in one.budgets} == {2}
    assert configure(Limiter(redis_client), Accounts(*shared), Config())  # type: ignore[arg-type]
    assert Limiter(redis_client).snapshot().accounts[0].effective_limit == 2


@pytest.mark.parametrize(
    ("workers", "configured", "enforced"), [("4", 10, 4), ("14", 10, 10), ("0", 10, 10), ("4", 0, 0)]
)
def test_no_slot_is_granted_to_more_waiters_than_there_are_workers(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch, workers: str, configured: int, enforced: int
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", workers)
    settings = Config.model_validate({"concurrent_streams": {"global_limit": configured}})
    assert configure(Limiter(redis_client), Accounts(account(1)), settings)  # type: ignore[arg-type]
    assert Limiter(redis_client).snapshot().global_limit == enforced


def test_without_redis_there_is_no_limiter() -> None:
    with connect(port=9) as away:
        assert not configure(Limiter(away), Accounts(account(1)), Config())  # type: ignore[arg-type]


# -- viewers ---------------------------------------------------------------------------------
WATCHED = account(1, max_streams=1, profiles=(Profile(id=10, is_default=True, max_streams=1),))


@pytest.fixture
def known(redis_client: Redis) -> Accounts:
    accounts = Accounts(WATCHED)
    Limiter(redis_client).open_now()
    configure(Limiter(redis_client), accounts, Config())  # type: ignore[arg-type]
    return accounts


def viewers_of(redis_client: Redis) -> int:
    """Return the viewers of the watched account; Redis returns budgets in any order."""
    budgets = Limiter(redis_client).snapshot().budgets
    return next(one.viewers for one in budgets if one.budget_id == "profile-10")


def counted(monkeypatch: pytest.MonkeyPatch, count: Callable[[], dict[int, int] | None]) -> list[None]:
    """Let a function count the viewers, and return a list with an entry for each count."""
    counts: list[None] = []

    def viewers(redis: Redis | None = None) -> dict[int, int] | None:
        counts.append(None)
        return count()

    monkeypatch.setattr(limits, "_viewers", viewers)
    return counts


def test_no_check_asks_for_a_slot_before_the_viewers_are_counted(
    redis_client: Redis, known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> dict[int, int]:
        begun.set()
        assert go_on.wait(5)
        return {10: 1}

    def check() -> int:
        refresh_viewers(redis_client, known, Config())  # type: ignore[arg-type]
        return viewers_of(redis_client)

    counts = counted(monkeypatch, slow)
    with ThreadPoolExecutor(4) as pool:
        checks = [pool.submit(check) for _ in range(4)]
        assert begun.wait(5)
        assert not any(one.done() for one in checks)
        go_on.set()
        assert [one.result(5) for one in checks] == [1, 1, 1, 1]
    assert len(counts) == 1


def test_a_count_of_the_last_second_is_used(
    redis_client: Redis, known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = counted(monkeypatch, lambda: {10: 1})
    for _ in range(3):
        refresh_viewers(redis_client, known, Config())  # type: ignore[arg-type]
    assert len(counts) == 1
    redis_client.delete(limits._COUNT)
    refresh_viewers(redis_client, known, Config())  # type: ignore[arg-type]
    assert len(counts) == 2


def test_a_webhook_counts_the_viewers_although_they_were_counted_a_moment_before(
    redis_client: Redis, known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = {10: 0}
    counted(monkeypatch, lambda: dict(watching))
    refresh_viewers(redis_client, known, Config())  # type: ignore[arg-type]
    watching[10] = 1
    count_viewers(redis_client, known, Config())  # type: ignore[arg-type]
    assert viewers_of(redis_client) == 1


def test_a_holder_of_a_slot_does_not_wait_for_another_count(
    redis_client: Redis, known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_client.set(limits._COUNT, limits._COUNTING, px=60_000)
    counts = counted(monkeypatch, lambda: {10: 1})
    refresh_viewers(redis_client, known, Config(), waits=False)  # type: ignore[arg-type]
    assert counts == []


def test_accounts_above_their_limit_for_a_while_are_found(redis_client: Redis, known: Accounts) -> None:
    limiter, began = Limiter(redis_client), datetime.now(UTC)
    assert isinstance(limiter.acquire(Request("check", 1), "h"), Granted)
    for viewers in (1, 1):
        limiter.set_viewers({"profile-10": viewers})
        assert exceeded_accounts(limiter, began) == {}
        time.sleep(2.6)
    limiter.set_viewers({"profile-10": 1})
    assert exceeded_accounts(limiter, began) == {1: 1}
    assert exceeded_accounts(limiter, datetime.now(UTC) + timedelta(minutes=1)) == {}


def test_a_configured_release_delay_holds_for_all_logins_of_an_account() -> None:
    settings = Config.model_validate({"concurrent_streams": {"release_delay": {"account 1": 3, "2": 30}}})
    accounts = [account(1, max_streams=2), account(2, max_streams=1), account(3)]
    assert [one.budgets[0].release_delay for one in limited_accounts(accounts, settings)[:3]] == [3, 30, None]


def test_a_source_that_is_away_leaves_the_last_count_and_delays_no_check(
    redis_client: Redis, known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    Limiter(redis_client).set_viewers({"profile-10": 1}, age=0)
    counted(monkeypatch, lambda: None)
    for _ in range(2):
        refresh_viewers(redis_client, known, Config())  # type: ignore[arg-type]
    assert viewers_of(redis_client) == 1


def test_a_process_that_dies_while_it_counts_is_replaced(
    redis_client: Redis, known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_client.set(limits._COUNT, limits._COUNTING, px=200)
    counts = counted(monkeypatch, lambda: {10: 1})
    refresh_viewers(redis_client, known, Config())  # type: ignore[arg-type]
    assert len(counts) == 1
