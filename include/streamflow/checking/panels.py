"""The Xtream panels behind the budgets of accounts, and what they report about the connections of a login."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from streamflow.checking.budgets import budgets_of
from streamflow.checking.logins import url_for
from streamflow.config import Config
from streamflow.errors import SourceError, UnusablePattern
from streamflow.records import Account
from streamflow.sources.xtream import Panel, UserInfo
from streamflow.sources.xtream.login import login_of
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

SECONDS = 5.0
# Slow panels take a thread each, so that they do not delay the others.
AT_ONCE = 32
# Streams of an account whose URLs are read for its login.
SAMPLED_STREAMS = 20


@dataclass(frozen=True)
class Claim:
    """The report of a panel about the login behind a budget.

    :param limit: the connections that the login allows; 0 means that the panel names no limit.
    :param elsewhere: connections in use that are neither checks nor Dispatcharr's viewers.
    """

    limit: int
    elsewhere: int
    words: str


def panels_of(store: Store, settings: Config) -> dict[str, Panel]:
    """Return the panel behind each budget of an active account whose streams' URLs carry an Xtream login.

    An account behind a proxy is left out, because its provider must be reached from there alone.
    """
    panels: dict[str, Panel] = {}
    for account in store.library.accounts():
        if not account.is_active or settings.probe.for_account(account.id, account.name).proxy:
            continue
        streams = store.library.streams(store.library.streams_of_account(account.id)[:SAMPLED_STREAMS]).values()
        for budget in budgets_of(account):
            try:
                logins = {panel_of(url_for(stream, account, budget), account) for stream in streams}
            except UnusablePattern as error:
                log.warning("no report about a login: %s", error)
                continue
            # Streams of several logins in one account do not show the account's own.
            if len(logins) == 1 and (panel := logins.pop()):
                panels.setdefault(budget, panel)
    return panels


def panel_of(url: str, account: Account) -> Panel | None:
    """Return the panel of the login in a stream's URL; None where the URL is not certainly an Xtream panel's."""
    parts = login_of(url)
    if parts is None or (account.account_type != "XC" and not urlsplit(url).path.startswith("/live/")):
        return None
    host, username, password = parts
    agent = {"user_agent": account.user_agent} if account.user_agent else {}
    server = f"{urlsplit(url).scheme}://{host}"
    return Panel(
        server, unquote(username), unquote(password), seconds=SECONDS, source_host=account.server_host, **agent
    )


def reports_of(panels: Collection[Panel]) -> dict[Panel, UserInfo]:
    """Return the report of each panel about its login; a panel that reports no connections is left out."""
    with ThreadPoolExecutor(min(AT_ONCE, len(panels)), thread_name_prefix="panel") as threads:
        asked = {panel: threads.submit(_report, panel) for panel in panels}
        reports = {panel: report.result() for panel, report in asked.items()}
    return {panel: report for panel, report in reports.items() if report}


def claims(
    panels: Mapping[str, Panel], reports: Mapping[Panel, UserInfo], connections: Mapping[str, int]
) -> dict[str, Claim]:
    """Return the claim about each budget whose panel reported.

    :param connections: by budget, the connections of checks and Dispatcharr's viewers that its panel may count.
    """
    found = {}
    for budget, panel in panels.items():
        if report := reports.get(panel):
            ours = sum(connections[other] for other in panels if panels[other] == panel)
            elsewhere = max(0, (report.active_connections or 0) - ours)
            found[budget] = Claim(report.max_connections or 0, elsewhere, described(report))
    return found


def described(report: UserInfo) -> str:
    """Return the panel's report in the words that users see."""
    limit = "no max_connections" if report.max_connections is None else f"max_connections {report.max_connections}"
    used = "" if report.active_connections is None else f", {report.active_connections} in use"
    return f"the panel reports {limit}{used}"


def _report(panel: Panel) -> UserInfo | None:
    try:
        report = panel.user_info()
    except SourceError as error:
        log.warning("no report about a login: %s", error)
        return None
    if report.max_connections is None and report.active_connections is None:
        log.warning("no report about a login: %s names no connections", panel.name)
        return None
    return report
