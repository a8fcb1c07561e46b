"""The login in the URL of an Xtream stream."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

_PATH = re.compile(r"^/(?:live/|movie/|series/)?([^/]+)/([^/]+)/[^/]+$")


class Login(NamedTuple):
    """A login as the URL writes it: percent-encoded; ``host`` has the port."""

    host: str
    username: str
    password: str


def login_of(url: str) -> Login | None:
    """Return the login of a URL such as ``http://HOST/live/USER/PASSWORD/ID.ts``, also without ``live``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    login = _PATH.match(parts.path)
    return Login(parts.netloc.rpartition("@")[2], login.group(1), login.group(2)) if login else None
