"""The entries of an M3U playlist, read line by line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from streamflow.errors import SourceRefused
from streamflow.sources.m3u import info

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:/*[^\s/]")
# The names that players use for request headers, in #EXTVLCOPT and as attributes.
_HEADERS = {
    "http-user-agent": "User-Agent",
    "user-agent": "User-Agent",
    "http-referrer": "Referer",
    "http-referer": "Referer",
    "referrer": "Referer",
    "http-origin": "Origin",
}
_KODI_HEADERS = ("inputstream.adaptive.stream_headers", "inputstream.adaptive.manifest_headers")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Tags that occur only in the playlist of one HLS stream (RFC 8216).
_HLS = ("#EXT-X-TARGETDURATION", "#EXT-X-STREAM-INF", "#EXT-X-MEDIA-SEQUENCE")


@dataclass(frozen=True)
class Entry:
    """One stream of a playlist; ``line`` is the line of its URL, from 1. Request headers follow the URL after ``|``."""

    line: int
    name: str
    url: str = field(repr=False)
    group: str = ""
    tvg_id: str = ""
    number: float | None = None


@dataclass(frozen=True)
class Unreadable:
    """A line that cannot be used. Its text is left out: it may hold a password."""

    line: int
    reason: str


@dataclass
class _Details:
    """The details of a stream, from the lines before its URL."""

    line: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    name: str = ""
    group: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def entries(lines: Iterable[str]) -> Iterator[Entry | Unreadable]:
    """Return the streams of a playlist and the lines that cannot be used, in order.

    :raises SourceRefused: this is the playlist of one HLS stream.
    """
    details, standing_group = _Details(), ""
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        if not line.startswith("#"):
            if _ADDRESS.match(line):
                yield _entry(number, line, details, standing_group)
            else:
                yield Unreadable(number, "neither a comment nor a URL")
            details = _Details()
            continue
        directive, _, value = line.partition(":")
        match directive.upper():
            case "#EXTINF":
                if details.line:
                    yield Unreadable(details.line, "an #EXTINF without a URL after it")
                    details = _Details()
                details.line = number
                details.attributes, details.name = info.read(value)
            case "#EXTGRP" if details.line:
                details.group = value.strip()
            case "#EXTGRP":
                standing_group = value.strip()
            case "#EXTVLCOPT" | "#KODIPROP" | "#EXTHTTP":
                details.headers |= _headers(directive.upper(), value)
            case name if name.startswith(_HLS):
                raise SourceRefused("this is the playlist of one HLS stream; give the address of a list of streams")
    if details.line:
        yield Unreadable(details.line, "an #EXTINF without a URL after it")


def _entry(line: int, url: str, details: _Details, standing_group: str) -> Entry:
    attributes = details.attributes
    tvg_id = _clean(attributes.get("tvg-id", ""))
    own = {_HEADERS[name]: value for name, value in attributes.items() if name in _HEADERS and value}
    return Entry(
        line=line,
        name=_clean(details.name) or _clean(attributes.get("tvg-name", "")) or tvg_id or f"line {line}",
        url=_with_headers(url, own | details.headers),
        group=_clean(attributes.get("group-title", "")) or _clean(details.group or standing_group),
        tvg_id=tvg_id,
        number=_number(attributes.get("tvg-chno") or attributes.get("channel-number") or ""),
    )


def _headers(directive: str, value: str) -> dict[str, str]:
    """Return the request headers of a line of options; options about playing are ignored."""
    if directive == "#EXTHTTP":
        try:
            headers = json.loads(value)
        except ValueError:
            return {}
        return {str(name): str(word) for name, word in headers.items()} if isinstance(headers, dict) else {}
    name, _, word = (part.strip() for part in value.partition("="))
    if directive == "#KODIPROP":
        return dict(parse_qsl(word)) if name.lower() in _KODI_HEADERS else {}
    header = _HEADERS.get(name.lower())
    return {header: word.strip("\"'")} if header and word else {}


def _with_headers(url: str, headers: Mapping[str, str]) -> str:
    """Return the URL with headers after ``|``. Headers that it has already come last, so that they win."""
    if not headers:
        return url
    address, _, own = url.partition("|")
    return f"{address}|{urlencode(headers)}{'&' if own else ''}{own}"


def _clean(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None
