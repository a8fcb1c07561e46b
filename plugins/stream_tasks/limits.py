"""What the limiter is told: the settings, the accounts of the UDI, and the viewers in Dispatcharr."""

from __future__ import annotations

import logging
import time

from redis import Redis
from redis.exceptions import RedisError

from account_limiter import AccountLimit, Budget, Limiter, LimiterUnavailable, MachineLoad
from streamflow import records as models
from streamflow import sources
from streamflow.config import Config
from streamflow.errors import StreamFlowError
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

# Streams that belong to no account have no limit but the global one.
NO_ACCOUNT = "custom"
# Whoever is about to acquire asks for the viewers, but all of them together no more than once in so many seconds.
VIEWERS_SECONDS = 2.0
_ASKED = "{streamflow}:viewers:asked"


def push_limits(redis: Redis, store: Store, settings: Config) -> bool:
    """Tell the limiter what accounts and settings allow; False when Redis is away, so that nobody can be let in."""
    section = settings.concurrent_streams
    adapted = {} if section.adaptive else {"adapted": 0}
    try:
        Limiter(redis).configure(
            accounts=accounts(store.library.accounts(), settings), **section.limiter_settings, **adapted
        )
    except LimiterUnavailable as error:
        log.warning("no limiter: %s", error)
        return False
    return True


def accounts(known: list[models.Account], settings: Config) -> list[AccountLimit]:
    """The limiter's accounts: each draws from its login's budget, and from those of its further profiles."""
    limits = _budget_limits(known)
    priorities = settings.concurrent_streams.account_priority
    found = [
        AccountLimit(
            account.id,
            account.name,
            account.max_streams,
            priorities.get(str(account.id), priorities.get(account.name, 0)),
            account.is_active,
            tuple(Budget(budget, limits[budget]) for budget in budgets_of(account)),
        )
        for account in known
    ]
    return [*found, AccountLimit(NO_ACCOUNT, "without account")]


def budgets_of(account: models.Account) -> list[str]:
    """The budgets that an account draws from: its login's, and those of its further profiles."""
    return [account.budget, *(budget_of(profile) for profile in account.profiles if _is_further(profile))]


def budget_of(profile: models.Profile) -> str:
    return f"profile-{profile.id}"


def _is_further(profile: models.Profile) -> bool:
    return profile.is_active and not profile.is_default


def _budget_limits(known: list[models.Account]) -> dict[str, int]:
    """The limit of each budget: of accounts that share one, the lowest, 0 where none has any."""
    limits: dict[str, int] = {}
    for account in known:
        own = [(account.budget, account.max_streams)]
        own += [(budget_of(profile), profile.max_streams) for profile in account.profiles if _is_further(profile)]
        for budget, limit in own:
            limits[budget] = (
                min(limit, limits[budget]) if limit and limits.get(budget) else limit or limits.get(budget, 0)
            )
    return limits


def adapt(redis: Redis, settings: Config) -> None:
    """Let the global limit follow how busy this machine is, where that is switched on. Raises LimiterUnavailable."""
    section = settings.concurrent_streams
    if section.adaptive:
        ceiling = section.global_limit or section.adaptive_ceiling
        Limiter(redis).adapt(MachineLoad.measure(), floor=min(section.adaptive_floor, ceiling), ceiling=ceiling)


def refresh_viewers(redis: Redis, store: Store, settings: Config) -> None:
    """Let the limiter know how many connections people use now; while Dispatcharr cannot tell, the last count holds.

    Raises LimiterUnavailable.
    """
    if not settings.concurrent_streams.respect_viewers:
        return
    try:
        if not redis.set(_ASKED, "1", nx=True, px=int(VIEWERS_SECONDS * 1000)):
            return
    except RedisError as error:
        raise LimiterUnavailable(f"Redis: {error}") from error
    asked_at = time.monotonic()
    viewers = _viewers()
    if viewers is not None:
        seen = viewers_of_budgets(viewers, store.library.accounts())
        Limiter(redis).set_viewers(seen, age=time.monotonic() - asked_at)


def viewers_fill(account: models.Account) -> bool:
    """Whether people use all connections of the account's own login now; False where Dispatcharr cannot tell."""
    viewers = _viewers() if account.max_streams else None
    return viewers is not None and viewers_of_budgets(viewers, [account]).get(account.budget, 0) >= account.max_streams


def _viewers() -> dict[int, int] | None:
    """The viewers by profile; None while Dispatcharr cannot tell."""
    try:
        with sources.opened() as source:
            return source.viewers()
    except StreamFlowError as error:
        log.warning("viewers are not known now: %s", error)
        return None


def viewers_of_budgets(viewers: dict[int, int], known: list[models.Account]) -> dict[str, int]:
    """Viewers by budget, from viewers by profile."""
    budgets = {
        profile.id: account.budget if profile.is_default else budget_of(profile)
        for account in known
        for profile in account.profiles
    }
    found: dict[str, int] = {}
    for profile, number in viewers.items():
        if budget := budgets.get(profile):
            found[budget] = found.get(budget, 0) + number
    return found
