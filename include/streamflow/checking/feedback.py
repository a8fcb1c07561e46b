"""Feedback: the conclusions that the limiter draws from a probe about the connections of an account."""

from __future__ import annotations

from streamflow.checking.ports import Slot
from streamflow.probing import ProbeOutcome
from streamflow.records import Result

# Below this share of real time a connection does not keep up.
REAL_TIME = 0.9


def is_suspicious(outcome: ProbeOutcome) -> bool:
    """Return whether a still picture may be the provider's sign for one connection too many."""
    return outcome.result.reason == "provider_busy" and outcome.slate is not None


def is_starved(result: Result) -> bool | None:
    """Return whether a stream came slower than it plays and its player had to wait; None where not measured."""
    share, stalled = result.extra.get("real_time_share"), result.extra.get("stall_s")
    return None if share is None else share < REAL_TIME and bool(stalled)


def report(slot: Slot, outcome: ProbeOutcome, *, was_suspicious: bool, retry_after: float) -> None:
    """Report to the limiter whether the provider refused the connection as one too many.

    :param was_suspicious: the try before ended with a still picture that may have been a refusal.
    :param retry_after: seconds without another start on an account that refused.
    """
    if is_suspicious(outcome):
        slot.suspect_busy(retry_after=retry_after)
    elif outcome.result.reason == "provider_busy":
        slot.report_busy(retry_after=retry_after)
    elif was_suspicious and outcome.result.is_working:
        slot.settle_suspicion(right=outcome.slate is None)


def release(slot: Slot, result: Result, *, adaptive: bool) -> None:
    """Give the slot of a closed connection back, with what the result says of the account and the line.

    :param adaptive: the global limit follows the load of the line.
    """
    slot.release(succeeded=result.is_working, starved=is_starved(result) if adaptive else None)
