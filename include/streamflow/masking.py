"""Masking of URLs, which contain passwords, in texts for people and logs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Stands for a password that is not shown.
HIDDEN = "***"
_URL = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"'<>]+")
# URLs without a host, as the errors of HTTP clients name them, and the query of any other one.
_PATH = re.compile(r"\b(url: ?)/[^\s\"'<>]+", re.IGNORECASE)
_QUERY = re.compile(r"\?[\w.%\[\]-]+=[^\s\"'<>]*")


def mask_url(url: str) -> str:
    """Return the scheme, host and port of a URL, with ``/***`` for the rest. An invalid URL becomes ``***``."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}/***"
    except ValueError:
        return "***"


def host_of(url: str | None) -> str:
    """Return the host of a URL, empty for what has none."""
    try:
        return urlsplit(url or "").hostname or ""
    except ValueError:
        return ""


def mask(text: str) -> str:
    """Return the text with every URL in it masked, also those that lack a scheme and a host."""
    masked = _URL.sub(lambda match: mask_url(match.group()), text)
    return _QUERY.sub("?***", _PATH.sub(r"\1/***", masked))


def hide_password(url: str) -> str:
    """Return the URL with ``***`` in place of its password; other texts and URLs without a password are unchanged."""
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        return url
    if not parts.scheme or not password:
        return url
    login, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login.partition(':')[0]}:{HIDDEN}@{host}").geturl()
