"""The tries of one check: what each found, and when the next one follows."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import urlsplit

from streamflow.checking.circuit import REACHABILITY
from streamflow.checking.feedback import is_suspicious
from streamflow.config import Probe
from streamflow.net.address_policy import normalized_host, reach_of_name
from streamflow.probing import ProbeOutcome
from streamflow.probing.target import FAILED_WITH
from streamflow.records.record import Record

# A provider that stays full for this many tries in a row leaves the stream undecided.
BUSY_TRIES = 8
FINDINGS = ("verdict", "reason", "detail", "elapsed_s", "first_frame_ms")


class Tries(Record):
    """The tries of a check so far, as a deferred task carries them in JSON.

    ``busy`` counts those of the ``attempts`` that the provider refused as one connection too many. ``tries`` holds the
    findings of each. The last one was ``suspicious`` if its still picture may have been such a refusal.
    """

    attempts: int = 0
    busy: int = 0
    tries: tuple[dict[str, Any], ...] = ()
    suspicious: bool = False

    @property
    def state(self) -> dict[str, Any]:
        """Return the tries as JSON values."""
        return self.model_dump(mode="json")

    @property
    def evidence(self) -> dict[str, Any]:
        """Return the reason of the last try as a withdrawn failure, if a provider that is down explains it."""
        reason = self.tries[-1]["reason"] if self.tries else None
        return {FAILED_WITH: reason} if reason in REACHABILITY else {}

    def after(self, outcome: ProbeOutcome, address: str = "") -> Self:
        """Return the tries with one more.

        :param address: the class of the address, see :func:`address_class`.
        """
        result = outcome.result
        findings = {name: getattr(result, name) for name in FINDINGS}
        findings |= {"first_byte_ms": result.extra.get("first_byte_ms"), "address": address}
        findings["at"] = result.checked_at.isoformat()
        return self.model_copy(
            update={
                "attempts": self.attempts + 1,
                "busy": self.busy + (outcome.result.reason == "provider_busy"),
                "tries": (*self.tries, findings),
                "suspicious": is_suspicious(outcome),
            }
        )


def address_class(url: str, *, by_proxy: bool) -> str:
    """Return the class of a stream's address, for example ``http, public``, without the name of its host."""
    try:
        parts = urlsplit(url.partition("|")[0].strip())
        reach = reach_of_name(normalized_host(parts.hostname or ""))
    except ValueError:
        return "no address"
    return f"{parts.scheme}, {reach}{', by a proxy' if by_proxy else ''}"


def pause_before_next(outcome: ProbeOutcome, tries: Tries, settings: Probe) -> float | None:
    """Return the seconds until the next try, or None when the verdict stands.

    :param outcome: the outcome of the last try.
    :param tries: all tries, the last one included.
    """
    result = outcome.result
    if result.reason == "provider_busy" and tries.busy < BUSY_TRIES:
        # A provider that names no time, or zero seconds, is not asked again at once.
        return outcome.retry_after or settings.retry_delay
    may_change = result.verdict == "dead" or result.reason == "internal_error"
    if may_change and outcome.retryable and tries.attempts - tries.busy <= settings.retries:
        return settings.retry_delay
    return None
