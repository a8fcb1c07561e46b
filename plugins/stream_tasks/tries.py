"""The tries of one check: which is the last, and what each saw."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from streamflow.config import Probe
from streamflow.probing import ProbeOutcome
from streamflow.records import Result, Stream, Verdict

# A provider that stays full for this many tries in a row leaves the stream undecided.
BUSY_TRIES = 8


def decide(outcome: ProbeOutcome, state: dict[str, Any], settings: Probe) -> tuple[float | None, dict[str, Any]]:
    """Whether a try is the last: the seconds until the next one (None: it was), and what is known by now.

    ``state`` is what earlier tries left: ``attempts``, ``busy`` (tries the provider was full) and ``tries``.
    """
    result = outcome.result
    is_busy = result.reason == "provider_busy"
    attempts, busy = int(state.get("attempts", 0)) + 1, int(state.get("busy", 0)) + is_busy
    saw = {name: getattr(result, name) for name in ("verdict", "reason", "detail", "elapsed_s")}
    seen = {"attempts": attempts, "busy": busy, "tries": [*state.get("tries", []), saw]}
    if is_busy and busy < BUSY_TRIES:
        # A full provider that names no time, or zero seconds, is not asked again at once.
        return outcome.retry_after or settings.retry_delay, seen
    may_change = result.verdict == "dead" or result.reason == "internal_error"
    if may_change and outcome.retryable and attempts - busy <= settings.retries:
        return settings.retry_delay, seen
    return None, seen


def undecided(stream_id: int, stream: Stream | None, verdict: Verdict, reason: str, detail: str) -> Result:
    """The result of a check that opened no connection."""
    return Result(
        stream_id=stream_id,
        account_id=stream.account_id if stream else None,
        url_hash=stream.url_hash if stream else "",
        checked_at=datetime.now(UTC),
        verdict=verdict,
        reason=reason,
        detail=detail,
    )
