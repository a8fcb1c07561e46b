"""Addresses of Dispatcharr for browsers and players."""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit


def public_address() -> str | None:
    """Return the address of Dispatcharr without a slash at its end; None when no Dispatcharr is configured.

    ``DISPATCHARR_PUBLIC_URL`` is its address for browsers, where that differs from ``DISPATCHARR_URL``.
    """
    url = urlsplit(os.environ.get("DISPATCHARR_PUBLIC_URL") or os.environ.get("DISPATCHARR_URL") or "")
    if url.scheme not in ("http", "https") or not url.netloc:
        return None
    # A login in the address is StreamFlow's own and must not reach a browser.
    host = url.netloc.rpartition("@")[2]
    return urlunsplit((url.scheme, host, url.path.rstrip("/"), "", ""))


def channels_page() -> str | None:
    """Return the address of Dispatcharr's page of channels, which has none for a single channel; None as above."""
    address = public_address()
    return address and f"{address}/channels"
