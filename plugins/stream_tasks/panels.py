"""The reports of Xtream panels about the logins in use, passed on to the limiter."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from redis import Redis

from account_limiter import Closed, Limiter, Snapshot
from stream_tasks.alerts import send_conditions
from stream_tasks.limits import refresh_viewers
from streamflow.checking.budgets import budgets_of
from streamflow.checking.panels import claims, panels_of, reports_of
from streamflow.config import Config
from streamflow.reports.alerts import expiring
from streamflow.sources.xtream import Panel, UserInfo
from streamflow.udi.ports import Store

# A panel may count a connection for this long after it was closed.
LINGERING_SECONDS = 120.0
# Pause between two looks at a panel after a run.
POLL_SECONDS = 1.0


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
    send_conditions(redis, [expiring(ends(store, panels, reports), datetime.now(UTC))], "accounts")


def ends(
    store: Store, panels: Mapping[str, Panel], reports: Mapping[Panel, UserInfo]
) -> Iterator[tuple[int, str, datetime]]:
    """Yield id, name and end of each account whose panel reports an end; the earliest one of several logins."""
    for account in store.library.accounts():
        found = (reports.get(panels[budget]) for budget in budgets_of(account) if budget in panels)
        known = [report.expires_at for report in found if report and report.expires_at]
        if known:
            yield account.id, account.name, min(known)


def observe_releases(redis: Redis, store: Store, settings: Config) -> None:
    """Watch how long the panels go on counting the connections of a run that has ended, a minute at most.

    The time is reported to the limiter. A login that is used meanwhile, or that has more connections than the run
    closed, shows nothing.

    :raises LimiterUnavailable: while Redis is away.
    """
    limiter, lingering = Limiter(redis), set[str]()
    used = _unused(limiter)
    panels = {budget: panel for budget, panel in panels_of(store, settings).items() if budget in used}
    while panels:
        reports = reports_of(set(panels.values()))
        closed = _unused(limiter)
        for budget, panel in list(panels.items()):
            report, ended = reports.get(panel), closed.get(budget)
            counted = report.active_connections if report else None
            if ended is None or counted is None or counted > ended.number:
                del panels[budget]
            elif counted:
                lingering.add(budget)
            else:
                del panels[budget]
                if budget in lingering:
                    words = f"its panel counted a connection for {ended.age:.1f} s after its end"
                    limiter.set_release_delay(budget, ended.age, words)
        time.sleep(POLL_SECONDS if panels else 0.0)


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


def _unused(limiter: Limiter) -> dict[str, Closed]:
    """Return the budgets without a connection that had one in the last minute."""
    in_use = {one.budget_id for one in limiter.snapshot().budgets if one.active + one.viewers + one.elsewhere}
    return {budget: closed for budget, closed in limiter.closed_lately().items() if budget not in in_use}
