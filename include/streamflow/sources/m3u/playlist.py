"""Playlists in M3U: lines in, entries out, one at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from streamflow.errors import SourceRefused
from streamflow.sources.m3u import info

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:/*[^\s/]")
# What players call the headers that a stream wants, in #EXTVLCOPT and as attributes.
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
# Only in the playlist of one HLS stream.
_HLS = ("#EXT-X-TARGETDURATION", "#EXT-X-STREAM-INF", "#EXT-X-MEDIA-SEQUENCE")


@dataclass(frozen=True)
class Entry:
    """One stream of a playlist; ``line`` is that of its URL, from 1. The URL carries its headers behind a ``|``."""

    line: int
    name: str
    url: str = field(repr=False)
    group: str = ""
    tvg_id: str = ""
    number: float | None = None


@dataclass(frozen=True)
class Unreadable:
    """A line that cannot be used. What stands there is not told: it may hold a password."""

    line: int
    why: str


@dataclass
class _Coming:
    """What the lines before a URL say about it."""

    line: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    name: str = ""
    group: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def entries(lines: Iterable[str]) -> Iterator[Entry | Unreadable]:
    """The streams of a playlist; raises SourceRefused for the playlist of one HLS stream."""
    coming, standing_group = _Coming(), ""
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        if not line.startswith("#"):
            if _ADDRESS.match(line):
                yield _entry(number, line, coming, standing_group)
            else:
                yield Unreadable(number, "neither a comment nor a URL")
            coming = _Coming()
            continue
        directive, _, value = line.partition(":")
        match directive.upper():
            case "#EXTINF":
                if coming.line:
                    yield Unreadable(coming.line, "an #EXTINF without a URL behind it")
                    coming = _Coming()
                coming.line = number
                coming.attributes, coming.name = info.read(value)
            case "#EXTGRP" if coming.line:
                coming.group = value.strip()
            case "#EXTGRP":
                standing_group = value.strip()
            case "#EXTVLCOPT" | "#KODIPROP" | "#EXTHTTP":
                coming.headers |= _told_headers(directive.upper(), value)
            case name if name.startswith(_HLS):
                raise SourceRefused("this is the playlist of one HLS stream; give the address of a list of streams")
    if coming.line:
        yield Unreadable(coming.line, "an #EXTINF without a URL behind it")


def _entry(line: int, url: str, coming: _Coming, standing_group: str) -> Entry:
    attributes = coming.attributes
    tvg_id = _clean(attributes.get("tvg-id", ""))
    own = {_HEADERS[name]: value for name, value in attributes.items() if name in _HEADERS and value}
    return Entry(
        line=line,
        name=_clean(coming.name) or _clean(attributes.get("tvg-name", "")) or tvg_id or f"line {line}",
        url=_with_headers(url, own | coming.headers),
        group=_clean(attributes.get("group-title", "")) or _clean(coming.group or standing_group),
        tvg_id=tvg_id,
        number=_number(attributes.get("tvg-chno") or attributes.get("channel-number") or ""),
    )


def _told_headers(directive: str, value: str) -> dict[str, str]:
    """The headers that a line of options asks for; other options are the players' own affair."""
    if directive == "#EXTHTTP":
        try:
            told = json.loads(value)
        except ValueError:
            return {}
        return {str(name): str(word) for name, word in told.items()} if isinstance(told, dict) else {}
    name, _, word = (part.strip() for part in value.partition("="))
    if directive == "#KODIPROP":
        return dict(parse_qsl(word)) if name.lower() in _KODI_HEADERS else {}
    header = _HEADERS.get(name.lower())
    return {header: word.strip("\"'")} if header and word else {}


def _with_headers(url: str, headers: Mapping[str, str]) -> str:
    """The URL with headers behind a ``|``, those that it has already behind the others: the last one holds."""
    if not headers:
        return url
    address, _, known = url.partition("|")
    return f"{address}|{urlencode(headers)}{'&' if known else ''}{known}"


def _clean(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None
