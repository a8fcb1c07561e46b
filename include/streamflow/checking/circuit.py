"""The circuit of a login: it tells a provider that is down from single dead streams.

A run observes each stream of a login once. When nearly all streams that worked before cannot be reached any more, the
provider is down, and the failures say nothing about the streams. The circuit of the login is then *open*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from streamflow.config import Safety
from streamflow.probing.target import BESIDE_OTHERS, FAILED_WITH
from streamflow.records import Result

# Failures that a provider which is down, or which bans the login, shows for every stream.
REACHABILITY = frozenset(
    {
        "dns_failure",
        "connection_refused",
        "connect_timeout",
        "tls_error",
        "no_data",
        "http_5xx",
        "unauthorized",
    }
)
# One stream alone cannot show that a provider is down.
LEAST_STREAMS = 2
# A provider counts a connection for at most this time after its end.
STILL_COUNTED = timedelta(seconds=60)
# The field of ``Result.extra`` that marks a result as undecided because of an outage.
OUTAGE = "outage"

State = Literal["closed", "undecided", "open"]


@dataclass(frozen=True)
class Circuit:
    """The state of a login's circuit in a run.

    :param state: ``open`` when the provider is down; ``undecided`` while recent failures wait for more evidence.
    :param failed: the results of this run that a provider which is down explains, oldest first.
    :param cause: the evidence for an open circuit, as a sentence; else empty.
    """

    state: State
    failed: tuple[Result, ...] = ()
    cause: str = ""


def failure(result: Result) -> str | None:
    """Return the reason of a result that a provider which is down explains, or None for every other result."""
    if result.verdict == "dead" and result.reason in REACHABILITY:
        return result.reason
    reason = result.extra.get(FAILED_WITH)
    return reason if result.verdict == "unknown" and isinstance(reason, str) else None


def is_reached(result: Result) -> bool:
    """Return whether a result shows that the provider serves the login."""
    return result.is_working or (result.verdict == "dead" and result.reason not in REACHABILITY)


def is_evidence(result: Result) -> bool:
    """Return whether a result says something about the provider of the login."""
    return is_reached(result) or failure(result) is not None


def judge(results: Iterable[Result], alive: Collection[int], safety: Safety) -> Circuit:
    """Judge the circuit of a login by the results of a run.

    The circuit is open when the newest results of at least ``provider_down_least`` streams that were alive fail
    with the share ``provider_down_share``. A login with fewer such streams must fail with all of them. So a provider
    that goes down in the middle of a run is found too, and a provider that is back closes the circuit again.

    A refusal such as 403 beside other connections of the login may mean one too many. It counts when no stream was
    reached in the minute before it or since, and a stream that was probed alone afterwards is refused as well.

    :param results: the results of this run for the login's streams, in any order.
    :param alive: the login's streams in this run that worked at their last check before.
    """
    newest = _unexplained(sorted(filter(is_evidence, results), key=lambda result: result.checked_at, reverse=True))
    failed = tuple(result for result in reversed(newest) if failure(result))
    newest = _confirmed(newest)
    evidence = [result for result in newest if is_reached(result) or result.stream_id in alive]
    needed = min(len(alive), safety.provider_down_least)
    if needed < LEAST_STREAMS:
        return Circuit("closed", failed)
    failures = 0
    for count, result in enumerate(evidence, 1):
        failures += failure(result) is not None
        if count >= needed and failures >= safety.provider_down_share * count:
            return Circuit("open", failed, _cause(evidence[:count]))
    pending = next((count for count, result in enumerate(evidence) if is_reached(result)), len(evidence))
    unsettled = len(set(alive) - {result.stream_id for result in newest})
    may_open = pending > 0 and pending + unsettled >= needed
    return Circuit("undecided" if may_open else "closed", failed)


def withdrawn(result: Result, cause: str) -> Result:
    """Return a failed result as an undecided one, because its provider is down.

    :param cause: the evidence, which becomes the detail.
    """
    return result.model_copy(
        update={
            "verdict": "unknown",
            "reason": "source_unavailable",
            "detail": cause,
            "extra": result.extra | {FAILED_WITH: failure(result), OUTAGE: True},
        }
    )


def _unexplained(newest: list[Result]) -> list[Result]:
    """Return the results without the refusals of a provider that was busy with connections that it served."""
    served = next((result.checked_at for result in newest if is_reached(result)), None)
    return [
        result
        for result in newest
        if served is None or BESIDE_OTHERS not in result.extra or _began(result) > served + STILL_COUNTED
    ]


def _confirmed(newest: list[Result]) -> list[Result]:
    """Return the results without the refusals beside others that no later refusal of a stream alone confirms."""
    alone = [_began(result) for result in newest if failure(result) and not result.extra.get(BESIDE_OTHERS)]
    return [
        result
        for result in newest
        if not result.extra.get(BESIDE_OTHERS) or any(result.checked_at <= began for began in alone)
    ]


def _began(result: Result) -> datetime:
    return result.checked_at - timedelta(seconds=result.elapsed_s or 0)


def _cause(evidence: Collection[Result]) -> str:
    reasons = Counter(reason for result in evidence if (reason := failure(result)))
    named = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"the provider is down: {reasons.total()} of {len(evidence)} streams that worked before failed ({named})"
