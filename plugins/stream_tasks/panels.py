"""The reports of Xtream panels about the logins in use, passed on to the limiter."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from redis import Redis

from account_limiter import Limiter, Snapshot
from stream_tasks.limits import refresh_viewers
from streamflow.checking.panels import claims, panels_of, reports_of
from streamflow.config import Config
from streamflow.udi.ports import Store

# A panel may count a connection for this long after it was closed.
LINGERING_SECONDS = 120.0


def ask_panels(redis: Redis, store: Store, settings: Config) -> None:
    """Ask the panel of each login that an active account uses, and report its claims to the limiter.

    A panel that is away, or reports nothing that can be true, changes nothing.

    :raises LimiterUnavailable: while Redis is away.
    """
    panels = panels_of(store, settings)
    if not panels:
        return
    refresh_viewers(redis, store, settings)
    limiter = Limiter(redis)
    before = limiter.snapshot()
    reports = reports_of(set(panels.values()))
    for budget, claim in claims(panels, reports, connections(limiter, before)).items():
        elsewhere = claim.elsewhere if settings.concurrent_streams.respect_viewers else 0
        limiter.claim(budget, limit=claim.limit, elsewhere=elsewhere, words=claim.words)


def connections(limiter: Limiter, before: Snapshot) -> Mapping[str, int]:
    """Return for each budget the most connections of checks and Dispatcharr's viewers that its panel may count.

    :param before: the limiter's state before the panels were asked.
    """
    after = limiter.snapshot()
    counts: Counter[str] = Counter()
    for budget in after.budgets:
        earlier = next((one for one in before.budgets if one.budget_id == budget.budget_id), budget)
        counts[budget.budget_id] = max(budget.active + budget.viewers, earlier.active + earlier.viewers)
    ended = limiter.history(time.time() - LINGERING_SECONDS, 10).accounts
    for account in after.accounts:
        series = ended.get(str(account.account_id))
        for budget_id in account.budgets:
            counts[budget_id] += sum(series.finished) if series else 0
    return counts
