"""Where people find Dispatcharr's own pages."""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit


def channels_page() -> str | None:
    """The page of Dispatcharr's channels, which has no address for each of them; None where none is configured.

    ``DISPATCHARR_PUBLIC_URL`` names Dispatcharr as browsers reach it, where that differs from how StreamFlow does.
    """
    known = urlsplit(os.environ.get("DISPATCHARR_PUBLIC_URL") or os.environ.get("DISPATCHARR_URL") or "")
    if known.scheme not in ("http", "https") or not known.netloc:
        return None
    # A login in the address is StreamFlow's own.
    host = known.netloc.rpartition("@")[2]
    return urlunsplit((known.scheme, host, f"{known.path.rstrip('/')}/channels", "", ""))
