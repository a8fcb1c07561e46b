"""The outcome of a probe: made in one process, sent as JSON, and read in another."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime
from typing import Any

from streamflow.masking import mask
from streamflow.probing.judgement.refusal import Refusal
from streamflow.probing.target import MAX_THUMBNAIL_BYTES, SLATE_BYTES, ProbeOutcome
from streamflow.records import Result, Verdict

# The first bytes of each JPEG: browsers of people show what a decoder sends.
_JPEG = b"\xff\xd8\xff"


def result_of(verdict: Verdict, reason: str | None, detail: str | None, started: float) -> Result:
    """Return a result without figures, of a stream that only the caller knows.

    :param started: when the probe began (monotonic).
    """
    return Result(
        stream_id=0,
        checked_at=datetime.now(UTC),
        verdict=verdict,
        reason=reason,
        detail=mask(detail) if detail else None,
        elapsed_s=round(time.monotonic() - started, 2),
    )


def refused(refusal: Refusal, started: float, **extra: Any) -> ProbeOutcome:
    """Return the outcome of a stream that gave no media, or of a probe that failed.

    :param extra: further facts for the result; those that are empty are left out.
    """
    result = result_of(refusal.verdict, refusal.reason, refusal.detail, started)
    if noted := refusal.extra | {name: value for name, value in extra.items() if value}:
        result = result.model_copy(update={"extra": noted})
    return ProbeOutcome(result, None, refusal.retryable, refusal.retry_after)


def to_json(outcome: ProbeOutcome) -> dict[str, Any]:
    """Return an outcome as JSON values."""
    return {
        "result": outcome.result.model_dump(mode="json"),
        "thumbnail": _encoded(outcome.thumbnail),
        "retryable": outcome.retryable,
        "retry_after": outcome.retry_after,
        "slate": _encoded(outcome.slate),
    }


def from_json(sent: Any) -> ProbeOutcome:
    """Return the outcome that another process has sent.

    :raises ValueError, KeyError, TypeError: for anything else.
    """
    retry_after, thumbnail, slate = sent["retry_after"], _decoded(sent["thumbnail"]), _decoded(sent["slate"])
    if thumbnail is not None and not (thumbnail.startswith(_JPEG) and len(thumbnail) <= MAX_THUMBNAIL_BYTES):
        raise ValueError("not a thumbnail")
    if slate is not None and len(slate) != SLATE_BYTES:
        raise ValueError("not a slate")
    return ProbeOutcome(
        Result.model_validate(sent["result"]),
        thumbnail,
        retryable=bool(sent["retryable"]),
        retry_after=None if retry_after is None else float(retry_after),
        slate=slate,
    )


def _encoded(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
