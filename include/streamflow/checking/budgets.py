"""The budgets of connections that accounts draw from: one for each login."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from streamflow.records import Account, Profile


def budgets_of(account: Account) -> list[str]:
    """Return the budgets that an account draws from: its own login's, then those of its further profiles."""
    return [account.budget, *(budget_of(profile) for profile in account.profiles if _is_further(profile))]


def budget_of(profile: Profile) -> str:
    """Return the budget of a further profile of an account."""
    return f"profile-{profile.id}"


def _is_further(profile: Profile) -> bool:
    return profile.is_active and not profile.is_default


def budget_limits(accounts: Iterable[Account]) -> dict[str, int]:
    """Return the limit of each budget: the lowest of the accounts that share it; 0 where none has a limit."""
    limits: dict[str, int] = {}
    for account in accounts:
        own = [(account.budget, account.max_streams)]
        own += [(budget_of(profile), profile.max_streams) for profile in account.profiles if _is_further(profile)]
        for budget, limit in own:
            limits[budget] = min(filter(None, (limit, limits.get(budget))), default=0)
    return limits


def viewers_of_budgets(viewers: Mapping[int, int], accounts: Iterable[Account]) -> dict[str, int]:
    """Return the viewers of each budget that has any.

    :param viewers: the number of viewers by profile.
    """
    budgets = {
        profile.id: account.budget if profile.is_default else budget_of(profile)
        for account in accounts
        for profile in account.profiles
    }
    counts: Counter[str] = Counter()
    for profile, number in viewers.items():
        if budget := budgets.get(profile):
            counts[budget] += number
    return dict(counts)


def is_filled(account: Account, viewers: Mapping[int, int]) -> bool:
    """Return whether viewers use all connections of the account's own login.

    :param viewers: the number of viewers by profile.
    """
    return 0 < account.max_streams <= viewers_of_budgets(viewers, [account]).get(account.budget, 0)
