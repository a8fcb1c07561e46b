"""What Xtream panels say of the logins in use, told to the limiter: a limit, and who else is using it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote, urlsplit

from redis import Redis

from account_limiter import Limiter, Snapshot
from stream_tasks.limits import budgets_of, refresh_viewers
from stream_tasks.logins import url_for
from streamflow.config import Config
from streamflow.errors import SourceError
from streamflow.records import Account
from streamflow.sources.xtream import Panel, UserInfo
from streamflow.sources.xtream.login import login_of
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

SECONDS = 5.0
AT_ONCE = 8
# Streams of an account that its login is told from.
LOOKED_AT = 20
# Panels may count a connection for so long after it was closed.
LINGERING_SECONDS = 120.0


def ask_panels(redis: Redis, store: Store, settings: Config) -> None:
    """Ask the panel of each login that an active account uses, once, and let the limiter know what it says.

    A panel that does not answer, or says nothing that can be true, is evidence of nothing. Raises LimiterUnavailable.
    """
    panels = panels_of(store, settings)
    if not panels:
        return
    refresh_viewers(redis, store, settings)
    limiter = Limiter(redis)
    before = limiter.snapshot()
    with ThreadPoolExecutor(min(AT_ONCE, len(panels)), thread_name_prefix="panel") as threads:
        told = {panel: threads.submit(_user_info, panel) for panel in set(panels.values())}
        answers = {panel: answer.result() for panel, answer in told.items()}
    ours = connections(limiter, before)
    for budget, panel in panels.items():
        info = answers[panel]
        if info is None:
            continue
        surplus = (info.active_connections or 0) - sum(ours[one] for one in panels if panels[one] == panel)
        elsewhere = max(0, surplus) if settings.concurrent_streams.respect_viewers else 0
        limiter.claim(budget, limit=info.max_connections or 0, elsewhere=elsewhere, words=words(info))


def panels_of(store: Store, settings: Config) -> dict[str, Panel]:
    """The panel behind each budget, where its streams' URLs carry an Xtream login.

    An account behind a proxy is left out: its provider is to be met from there alone.
    """
    found: dict[str, Panel] = {}
    for account in store.library.accounts():
        if not account.is_active or settings.probe.for_account(account.id, account.name).proxy:
            continue
        streams = store.library.streams(store.library.streams_of_account(account.id)[:LOOKED_AT]).values()
        for budget in budgets_of(account):
            logins = {panel_of(url_for(stream, account, budget), account) for stream in streams}
            # Streams of several logins in one account say nothing of the account.
            if len(logins) == 1 and (panel := logins.pop()):
                found.setdefault(budget, panel)
    return found


def panel_of(url: str, account: Account) -> Panel | None:
    """The panel of the login in a stream's URL; None where there is none to be told for sure."""
    known = login_of(url)
    if known is None or (account.account_type != "XC" and not urlsplit(url).path.startswith("/live/")):
        return None
    host, username, password = known
    agent = {"user_agent": account.user_agent} if account.user_agent else {}
    server = f"{urlsplit(url).scheme}://{host}"
    return Panel(server, unquote(username), unquote(password), seconds=SECONDS, **agent)


def connections(limiter: Limiter, before: Snapshot) -> Mapping[str, int]:
    """The connections of each budget that a panel may count and that are ours or Dispatcharr's viewers', at most."""
    after = limiter.snapshot()
    found: Counter[str] = Counter()
    for budget in after.budgets:
        earlier = next((one for one in before.budgets if one.budget_id == budget.budget_id), budget)
        found[budget.budget_id] = max(budget.active + budget.viewers, earlier.active + earlier.viewers)
    ended = limiter.history(time.time() - LINGERING_SECONDS, 10).accounts
    for account in after.accounts:
        series = ended.get(str(account.account_id))
        for budget_id in account.budgets:
            found[budget_id] += sum(series.finished) if series else 0
    return found


def words(info: UserInfo) -> str:
    """What is shown of the panel's answer."""
    limit = "nothing of max_connections" if info.max_connections is None else f"max_connections {info.max_connections}"
    used = "" if info.active_connections is None else f", {info.active_connections} in use"
    return f"the panel says {limit}{used}"


def _user_info(panel: Panel) -> UserInfo | None:
    try:
        info = panel.user_info()
    except SourceError as error:
        log.warning("no word about a login: %s", error)
        return None
    if info.max_connections is None and info.active_connections is None:
        log.warning("no word about a login: %s tells no connections", panel.name)
        return None
    return info
