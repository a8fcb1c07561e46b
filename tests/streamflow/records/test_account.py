"""Accounts and their logins."""

from __future__ import annotations

from streamflow.records import Account, Profile
from streamflow.records.account import MOST_CONNECTIONS


def test_a_limit_is_a_number_that_the_limiter_holds_exactly() -> None:
    assert Account(id=1, name="one", max_streams=10**23).max_streams == MOST_CONNECTIONS
    assert Profile(id=1, max_streams=10**23).max_streams == MOST_CONNECTIONS
    assert Account(id=1, name="one", max_streams=3).max_streams == 3
