"""Streams: one URL of one account each."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import Field

from streamflow.records.record import Record


class Stream(Record):
    """One URL of one account. ``url`` holds passwords: it never leaves the UDI but to the prober."""

    id: int
    name: str
    url: str | None = Field(default=None, repr=False)
    account_id: int | None = None
    group_id: int | None = None
    provider_id: str | None = None
    tvg_id: str | None = None
    is_stale: bool = False
    is_custom: bool = False
    stats: dict[str, Any] | None = None

    @property
    def url_hash(self) -> str:
        """SHA-256 of the URL, as hex: the stream's identity over changed ids."""
        return hashlib.sha256((self.url or "").encode()).hexdigest()
