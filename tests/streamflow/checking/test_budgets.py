from __future__ import annotations

import pytest

from streamflow.checking.budgets import budget_limits, is_filled, viewers_of_budgets
from streamflow.records import Account, Profile


def test_accounts_that_share_a_login_have_the_lowest_limit_of_those_that_have_one() -> None:
    shared = [Account(id=i, name=str(i), budget="login-x", max_streams=n) for i, n in ((1, 0), (2, 3), (3, 2))]
    assert budget_limits(shared) == {"login-x": 2}
    assert budget_limits(shared[:1]) == {"login-x": 0}


def test_viewers_count_against_the_budget_of_their_profile() -> None:
    accounts = [
        Account(id=1, name="one", budget="profile-10", profiles=(Profile(id=10, is_default=True), Profile(id=11))),
        Account(id=2, name="two", budget="login-x", profiles=(Profile(id=20, is_default=True),)),
    ]
    viewers = {10: 2, 11: 1, 20: 4, 99: 7}
    assert viewers_of_budgets(viewers, accounts) == {"profile-10": 2, "profile-11": 1, "login-x": 4}


@pytest.mark.parametrize(
    ("max_streams", "viewers", "filled"), [(2, 1, False), (2, 2, True), (2, 3, True), (0, 9, False)]
)
def test_viewers_fill_an_account_when_they_use_all_connections_of_its_own_login(
    max_streams: int, viewers: int, filled: bool
) -> None:
    profiles = (Profile(id=10, is_default=True), Profile(id=11))
    account = Account(id=1, name="one", budget="profile-10", max_streams=max_streams, profiles=profiles)
    assert is_filled(account, {10: viewers, 11: 5}) is filled
