"""Address of Dispatcharr's web pages."""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit


def channels_page() -> str | None:
    """Return the address of Dispatcharr's page of channels; None when no Dispatcharr is configured.

    Dispatcharr has no page for a single channel. ``DISPATCHARR_PUBLIC_URL`` is its address for browsers, where that
    differs from ``DISPATCHARR_URL``.
    """
    url = urlsplit(os.environ.get("DISPATCHARR_PUBLIC_URL") or os.environ.get("DISPATCHARR_URL") or "")
    if url.scheme not in ("http", "https") or not url.netloc:
        return None
    # A login in the address is StreamFlow's own and must not reach a browser.
    host = url.netloc.rpartition("@")[2]
    return urlunsplit((url.scheme, host, f"{url.path.rstrip('/')}/channels", "", ""))
