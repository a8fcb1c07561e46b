"""The refresh of Dispatcharr's providers: started by ``POST /api/m3u/refresh/{id}/``, and awaited.

An account shows the state of its refresh by ``status`` (``fetching``, ``parsing``, ``success``, ``error`` and others),
the time of its last success by ``updated_at``, and its last error by ``last_message``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from streamflow.errors import SourceRefused, UnknownRecord
from streamflow.masking import mask
from streamflow.records.text import SENTENCE_LENGTH, cut
from streamflow.sources.dispatcharr.session import Session

POLL_SECONDS = 2.0
_BUSY = frozenset({"fetching", "parsing"})

Raw = Mapping[str, Any]


def refresh(session: Session, min_age: timedelta, patience: timedelta) -> dict[int, str]:
    """Refresh the active accounts that are older than ``min_age``, all at once, and wait for the end.

    :returns: the accounts whose refresh failed or did not end in time, each with the reason.
    :raises SourceError: Dispatcharr cannot be reached.
    """
    since, deadline = datetime.now(UTC) - min_age, time.monotonic() + patience.total_seconds()
    former = {id: raw for id, raw in _accounts(session).items() if _is_due(raw, since)}
    failures: dict[int, str] = {}
    for account in former:
        try:
            session.call("POST", f"/api/m3u/refresh/{account}/")
        except (SourceRefused, UnknownRecord) as error:
            failures[account] = cut(str(error), SENTENCE_LENGTH)
    pending, begun = former.keys() - failures.keys(), set[int]()
    while pending:
        present = _accounts(session)
        begun |= {account for account in pending if present.get(account, {}).get("status") in _BUSY}
        for account in list(pending):
            raw = present.get(account)
            if raw is None:
                failures[account] = "the account does not exist any more"
            elif _has_failed(raw, former[account], account in begun):
                failures[account] = _reason(raw)
            elif not _has_ended(raw, former[account]):
                continue
            pending.discard(account)
        if pending and time.monotonic() > deadline:
            for account in pending:
                is_error = present[account].get("status") == "error"
                failures[account] = _reason(present[account]) if is_error else "the refresh did not end in time"
            break
        if pending:
            time.sleep(POLL_SECONDS)
    return failures


def _accounts(session: Session) -> dict[int, Raw]:
    return {raw["id"]: raw for raw in session.records("/api/m3u/accounts/") if isinstance(raw.get("id"), int)}


def _is_due(raw: Raw, since: datetime) -> bool:
    """Return whether an account has a provider that was not refreshed since a time."""
    if not raw.get("is_active", True) or not raw.get("server_url"):
        return False
    text = raw.get("updated_at")
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return True
    return at is None or (at if at.tzinfo else at.replace(tzinfo=UTC)) < since


def _has_failed(raw: Raw, former: Raw, has_begun: bool) -> bool:
    """Return whether a refresh ended with an error; that of an earlier refresh does not count."""
    return raw.get("status") == "error" and (has_begun or former.get("status") != "error")


def _has_ended(raw: Raw, former: Raw) -> bool:
    return raw.get("status") not in _BUSY and raw.get("updated_at") != former.get("updated_at")


def _reason(raw: Raw) -> str:
    return cut(mask(str(raw.get("last_message") or "the provider cannot be read")), SENTENCE_LENGTH)
