"""Refusals: verdict and reason of a stream that gave no media, from the protocol's own error."""

from __future__ import annotations

import email.utils
import re
import time
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from streamflow.probing.target import BESIDE_OTHERS, FAILED_WITH
from streamflow.records import Verdict

# Connection limit reached or account locked: codes of the standard, and codes that panels invented.
BUSY = frozenset({429, 456, 458, 459, 503, 509})
MAX_RETRY_AFTER = 600.0
# Reasons of the statuses that a provider which is down, or which bans a login, sends as well as a busy one.
_AMBIGUOUS = {403: "unauthorized", 429: "http_4xx", 503: "http_5xx", 509: "http_5xx"}
# HDHomeRun's codes: system busy, tuner in use, all tuners in use.
_TUNER_BUSY = frozenset({"803", "804", "805"})
# Unknown channel, tune failed, no video data, and content under protection.
_TUNER_REASONS = {
    "801": "http_404", "806": "no_data", "807": "no_data", "808": "drm_protected", "809": "drm_protected",
    "811": "drm_protected",
}  # fmt: skip
MAX_TUNER_CHARACTERS = 60
# Texts of providers in responses whose status says less: 403, or 200.
_BUSY_TEXT = re.compile(rb"(max|too many)[^<>]{0,50}(connection|stream|user|device)|connection limit", re.IGNORECASE)
_REGION_TEXT = re.compile(rb"geo.?(block|restrict|lock)|not available in your (country|region|location)", re.IGNORECASE)


class Refusal(Exception):
    """A stream that gave no media; ``retryable`` and ``retry_after`` as in a ProbeOutcome.

    :param detail: a sentence of evidence, without a URL.
    :param extra: further facts for the result, as JSON values.
    """

    def __init__(
        self,
        verdict: Verdict,
        reason: str,
        detail: str,
        *,
        retryable: bool = True,
        retry_after: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{verdict}: {reason}: {detail}")
        self.verdict = verdict
        self.reason = reason
        self.detail = detail
        self.retryable = retryable
        self.retry_after = retry_after
        self.extra = dict(extra or {})


def dead(reason: str, detail: str, *, retryable: bool = True) -> Refusal:
    """Return the refusal of a stream that does not work."""
    return Refusal("dead", reason, detail, retryable=retryable)


def busy(detail: str, retry_after: float | None = None, extra: Mapping[str, Any] | None = None) -> Refusal:
    """Return the refusal of a provider without a free connection, which never counts against the stream."""
    return Refusal("unknown", "provider_busy", detail, retry_after=retry_after, extra=extra)


def cancelled() -> Refusal:
    """Return the refusal of a probe that its caller stopped."""
    return Refusal("unknown", "cancelled", "the probe was stopped before its end")


def fault(error: Exception) -> Refusal:
    """Return the refusal for a fault of the probe itself, by kind and place: the error's message may hold a URL."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
    return Refusal("unknown", "internal_error", place)


def of_text(text: bytes) -> Refusal | None:
    """Return the refusal that a provider's text means; None for any other text."""
    if _BUSY_TEXT.search(text):
        return busy("the provider says that all connections are in use")
    if _REGION_TEXT.search(text):
        return dead("geo_blocked", "the provider says that the region is not allowed", retryable=False)
    return None


def of_status(status: int, headers: Mapping[str, str], text: bytes = b"", *, account_busy: bool) -> Refusal:
    """Return the refusal that an HTTP status of 400 and above means.

    :param text: the start of the body.
    :param account_busy: whether other connections of the account are in use.
    """
    detail = f"HTTP {status} {_phrase(status)}".strip()
    if tuner := of_tuner(headers.get("x-hdhomerun-error", "")):
        return tuner
    evidence = {FAILED_WITH: _AMBIGUOUS[status], BESIDE_OTHERS: account_busy} if status in _AMBIGUOUS else None
    if status in BUSY:
        return busy(detail, retry_after(headers.get("retry-after")), evidence)
    if status in (401, 403):
        if refusal := of_text(text):
            return refusal
        if status == 403 and account_busy:
            return busy(f"{detail} while other connections of the account were in use", extra=evidence)
        return dead("unauthorized", detail, retryable=status == 403)
    if status in (404, 410):
        return dead(f"http_{status}", detail, retryable=False)
    if status == 451:
        return dead("geo_blocked", detail, retryable=False)
    return dead("http_5xx" if status >= 500 else "http_4xx", detail)


def of_tuner(error: str) -> Refusal | None:
    """Return the Refusal for a network tuner's ``X-HDHomeRun-Error`` header such as "807 No Video Data".

    None for any other header. The codes are those of the HDHomeRun HTTP API.
    """
    code = error.strip()[:3]
    detail = f"the tuner reports {error.strip()[:MAX_TUNER_CHARACTERS]!r}"
    if code in _TUNER_BUSY:
        return busy(detail)
    if code in _TUNER_REASONS:
        reason = _TUNER_REASONS[code]
        return dead(reason, detail, retryable=reason == "no_data")
    return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header: a number or a date (RFC 9110, 10.2.3), at most ten minutes."""
    if not value:
        return None
    if value.strip().isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return min(max(0.0, at.timestamp() - time.time()), MAX_RETRY_AFTER)
