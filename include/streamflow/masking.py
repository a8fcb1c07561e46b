"""Masking of URLs, which contain passwords, in texts for people and logs."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from urllib.parse import urlsplit

# Stands for a password that is not shown.
HIDDEN = "***"
# Longer texts are no URL, and Python splits a host with many accents in quadratic time.
MAX_URL = 8192
_AFTER_SCHEME = re.compile(r"://[^\s\"'<>]+")
_SCHEME = string.ascii_letters + string.digits + "+.-"
# URLs without a host, as the errors of HTTP clients name them, and the query of any other one.
_PATH = re.compile(r"\b(url: ?)/[^\s\"'<>]+", re.IGNORECASE)
_QUERY = re.compile(r"\?[\w.%\[\]-]+=[^\s\"'<>]*")


def mask_url(url: str) -> str:
    """Return the scheme, host and port of a URL, with ``/***`` for the rest. An invalid URL becomes ``***``."""
    if len(url) > MAX_URL:
        return HIDDEN
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}/***"
    except ValueError:
        return HIDDEN


def host_of(url: str | None) -> str:
    """Return the host of a URL, empty for what has none."""
    try:
        return urlsplit(url or "").hostname or ""
    except ValueError:
        return ""


def mask(text: str) -> str:
    """Return the text with every URL in it masked, also those that lack a scheme and a host."""
    masked = "".join(_masked_parts(text))
    return _QUERY.sub("?***", _PATH.sub(r"\1/***", masked))


def _masked_parts(text: str) -> Iterator[str]:
    # The scheme is taken from the end of the text before it, since a search for it would take quadratic time.
    place = 0
    for after in _AFTER_SCHEME.finditer(text):
        before = text[place : after.start()]
        # A scheme begins with a letter (RFC 3986, 3.1).
        scheme = before[len(before.rstrip(_SCHEME)) :].lstrip(string.digits + "+.-")
        yield before[: len(before) - len(scheme)]
        yield mask_url(f"{scheme}{after.group()}") if scheme else f"://{HIDDEN}"
        place = after.end()
    yield text[place:]


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
