"""Keeping URLs, which hold passwords, out of what people and logs get to see."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_URL = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"'<>]+")


def mask_url(url: str) -> str:
    """Scheme, host and port of a URL; everything that may be a secret is stars."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}/***"
    except ValueError:
        return "***"


def mask(text: str) -> str:
    """The text with every URL in it masked."""
    return _URL.sub(lambda found: mask_url(found.group()), text)
