"""Addresses of Dispatcharr for browsers and players."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit, urlunsplit

from streamflow.sources.dispatcharr.proxy import PLAYED

_PLAIN = re.compile(r"https?://[\w.:\[\]-]+(/[\w.~%/-]*)?", re.ASCII)


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


def proxy_source() -> str | None:
    """Return the part of Dispatcharr's address below which its proxy plays, as a source of a Content-Security-Policy.

    :returns: None when no Dispatcharr is configured, or its address contains characters with a meaning in a policy.
    """
    address = public_address()
    return f"{address}{PLAYED}" if address and _PLAIN.fullmatch(address) else None


def channels_page() -> str | None:
    """Return the address of Dispatcharr's page of channels, which has none for a single channel; None as above."""
    address = public_address()
    return address and f"{address}/channels"
