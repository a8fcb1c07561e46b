"""Results that a run takes over from another one instead of checking again."""

from __future__ import annotations

from datetime import datetime

from streamflow.config import Freshness
from streamflow.records import Result, Stream


def is_recent(result: Result, stream: Stream, freshness: Freshness, now: datetime) -> bool:
    """Return whether a result decided about the stream's present URL, within the pause after its verdict."""
    pause = freshness.pause(result.verdict)
    return bool(pause) and result.url_hash == stream.url_hash and now - result.checked_at <= pause
