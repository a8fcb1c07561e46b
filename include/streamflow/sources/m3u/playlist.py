"""The entries of an M3U playlist, read line by line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urljoin

from streamflow.errors import SourceRefused
from streamflow.records.text import URL_LENGTH
from streamflow.sources.m3u import info

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:/*[^\s/]")
_QUERY = re.compile(r"[?#]")
_EXTENSION = re.compile(r"(?<=.)\.\w{2,4}(?=\||$)")
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
_BLANK = re.compile(r"\s")
_PART_OF_ADDRESS = re.compile(r"[/?=]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Tags that occur only in the playlist of one HLS stream (RFC 8216).
_HLS = ("#EXT-X-TARGETDURATION", "#EXT-X-STREAM-INF", "#EXT-X-MEDIA-SEQUENCE")


@dataclass(frozen=True)
class Entry:
    """One stream of a playlist.

    ``line`` is the line of its URL, from 1. Request headers follow the URL after ``|``. ``duration`` is in seconds,
    negative for a live stream. ``as_of`` is the time of the stream's last known state, where that is not the newest; it
    is written and not read.
    """

    line: int
    name: str
    url: str = field(repr=False)
    group: str = ""
    tvg_id: str = ""
    number: float | None = None
    duration: float = -1.0
    is_radio: bool = False
    as_of: datetime | None = None


@dataclass(frozen=True)
class Unreadable:
    """A line that cannot be used. Its text is left out: it may hold a password."""

    line: int
    reason: str


@dataclass
class _Details:
    """The details of a stream, from the lines before its URL; ``line`` is that of its #EXTINF, 0 without one."""

    line: int = 0
    duration: float | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    name: str = ""
    group: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_channel(self) -> bool:
        """Whether this is an entry of a channel list: segments of HLS have a duration and no attributes."""
        return bool(self.attributes) or (self.line > 0 and (self.duration or -1) < 0)


def entries(lines: Iterable[str], base: str = "") -> Iterator[Entry | Unreadable]:
    """Return the streams of a playlist and the lines that cannot be used, in order.

    :param base: the playlist's own address, which relative addresses in it refer to (RFC 3986, 5.1); empty for a file.
    :raises SourceRefused: this is the playlist of one HLS stream.
    """
    return _Reader(base).entries(lines)


class _Reader:
    """Reads the lines of one playlist."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._details = _Details()
        # The details of the last entry, for a further URL below it.
        self._last = _Details()
        self._group = ""
        self._has_hls_tags = False
        self._is_channel_list = False

    def entries(self, lines: Iterable[str]) -> Iterator[Entry | Unreadable]:
        """Return the streams and the lines that cannot be used, in order."""
        for number, line in enumerate(lines, 1):
            if line.startswith("#"):
                yield from self._directive(number, line)
            elif line:
                yield from self._address(number, line)
        yield from self._abandoned()

    def _directive(self, number: int, line: str) -> Iterator[Unreadable]:
        name, value = _split(line)
        if name == "#EXTINF":
            yield from self._abandoned()
            attributes, title = info.read(value)
            self._details = _Details(number, info.duration(value), attributes, title, "", self._details.headers)
        elif name == "#EXTM3U":
            self._last = _Details()
        elif name == "#EXTGRP" and self._details.line:
            self._details.group = value.strip()
        elif name == "#EXTGRP":
            self._group = value.strip()
        elif name in ("#EXTVLCOPT", "#KODIPROP", "#EXTHTTP"):
            self._details.headers |= _headers(name, value)
        elif name.startswith(_HLS):
            self._has_hls_tags = True

    def _address(self, number: int, line: str) -> Iterator[Entry | Unreadable]:
        self._refuse_hls()
        line = self._absolute(line)
        if _ADDRESS.match(line):
            if self._details == _Details() and self._last.line:
                self._details = self._last
            entry = _entry(number, line, self._details, self._group)
            is_too_long = len(entry.url) > URL_LENGTH
            yield Unreadable(number, f"a URL of more than {URL_LENGTH:,} characters") if is_too_long else entry
            self._last = self._details
        elif self._details.line and _BLANK.search(line) and not _PART_OF_ADDRESS.search(line):
            # A name that goes on in a second line.
            yield Unreadable(number, "neither a comment nor a URL")
            return
        else:
            yield Unreadable(number, "neither a comment nor a URL")
        self._details = _Details()

    def _absolute(self, line: str) -> str:
        """Return a relative address as an absolute one, and any other line unchanged."""
        if not self._base or _ADDRESS.match(line) or not _is_reference(line):
            return line
        try:
            return urljoin(self._base, line)
        except ValueError:
            return line

    def _abandoned(self) -> Iterator[Unreadable]:
        """Report an #EXTINF that no URL followed."""
        if self._details.line:
            yield Unreadable(self._details.line, "an #EXTINF without a URL after it")
            self._details = _Details()

    def _refuse_hls(self) -> None:
        self._is_channel_list = self._is_channel_list or self._details.is_channel
        if self._has_hls_tags and not self._is_channel_list:
            raise SourceRefused("this is the playlist of one HLS stream; give the address of a list of streams")


def _is_reference(line: str) -> bool:
    """Return whether a line is an address relative to the playlist's: a path, a file with extension, or a query."""
    if len(line) > URL_LENGTH or _BLANK.search(line):
        return False
    path = _QUERY.split(line, 1)[0]
    return line.startswith("?") or "/" in path or _EXTENSION.search(path) is not None


def _split(line: str) -> tuple[str, str]:
    """Return a directive's name in capitals, and its value; some playlists write a blank for the colon of #EXTINF."""
    if line[:8].upper().startswith("#EXTINF ") and not line[8:].lstrip().startswith(":"):
        return "#EXTINF", line[8:]
    name, _, value = line.partition(":")
    return name.strip().upper(), value


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
        duration=-1.0 if details.duration is None else details.duration,
        is_radio=attributes.get("radio", "").casefold() in ("true", "1", "yes"),
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
