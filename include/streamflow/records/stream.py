"""Streams: one URL of one account each."""

from __future__ import annotations

import hashlib

from pydantic import Field

from streamflow.records.record import Record
from streamflow.records.text import Name, Url

# The hash of a stream without a URL.
NO_URL_HASH = hashlib.sha256(b"").hexdigest()


class Stream(Record):
    """One URL of one account. The URL holds passwords: only the prober gets it from the UDI.

    ``is_page`` marks the URL of a web page, which a tool such as Streamlink plays and a probe cannot open. ``is_radio``
    marks a stream that its source calls radio.
    """

    id: int
    name: Name
    url: Url | None = Field(default=None, repr=False)
    account_id: int | None = None
    group_id: int | None = None
    provider_id: Name | None = None
    tvg_id: Name | None = None
    is_stale: bool = False
    is_custom: bool = False
    is_page: bool = False
    is_radio: bool = False

    @property
    def url_hash(self) -> str:
        """Return the SHA-256 of the URL in hexadecimal digits, which identifies the stream when its id has changed."""
        return hashlib.sha256((self.url or "").encode()).hexdigest()
