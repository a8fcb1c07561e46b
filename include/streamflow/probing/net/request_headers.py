"""Request headers: a player's own, with those that an account or a playlist asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping

# As VLC sends them; some servers refuse requests without a language.
_DEFAULTS = {"Accept": "*/*", "Accept-Language": "en_US"}
# A playlist may not choose another host, steer the connection (RFC 9110, 7.6.1), or open a cloud's metadata service.
_REFUSED = re.compile(
    r"host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-.*|expect|range|"
    r"(x-)?metadata.*|x-google-metadata.*|x-aws-ec2-metadata.*|x-ms-metadata.*|x-forwarded-.*|forwarded",
    re.IGNORECASE,
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
MAX_HEADERS = 32
MAX_VALUE_CHARACTERS = 4096


def request_headers(wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of each request of a probe: the defaults, replaced and completed by ``wanted``.

    Names that are refused or no header names, and values with control characters or beyond 4,096 characters, are left
    out.
    """
    headers = dict(_DEFAULTS)
    names = {name.lower(): name for name in headers}
    for name, value in list(wanted.items())[:MAX_HEADERS]:
        if not _NAME.fullmatch(name) or _REFUSED.fullmatch(name) or not value.isprintable():
            continue
        if len(value) <= MAX_VALUE_CHARACTERS:
            headers[names.setdefault(name.lower(), name)] = value
    return headers
