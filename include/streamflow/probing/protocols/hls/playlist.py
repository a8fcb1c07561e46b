"""HLS playlists, read as leniently as players read them (RFC 8216).

Only the tags that are needed to fetch media are read. Each of them may be missing or wrong: a fault belongs to the
segment that needs the tag. All other tags, among them dates, ad markers and low-latency parts, are ignored.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from urllib.parse import parse_qsl, urlsplit

from streamflow.probing.judgement.refusal import dead

# Segments kept from the start of a playlist (for recordings) and from its end (for live streams).
MAX_SEGMENTS = 500
MAX_VARIANTS = 100
MAX_VARIABLES = 50
MAX_LINE_CHARACTERS = 16_384
# A recording window of a day in segments of two seconds has 130,000 lines.
MAX_LINES = 300_000
DEFAULT_TARGET_SECONDS = 2.0

# Names stand at the start or behind a comma, so that a line is read in linear time.
_ATTRIBUTE = re.compile(r'(?:^|,)\s*+([A-Z0-9-]++)\s*+=\s*+("[^"]*"|[^,]*)')
_VARIABLE = re.compile(r"\{\$([A-Za-z0-9_-]{1,100})\}")
_NUMBER = re.compile(r"\s*(-?\d{1,15}(?:\.\d{0,9})?)")
_RANGE = re.compile(r"(\d{1,15})(?:@(\d{1,15}))?")
_OPEN_METHODS = ("AES-128", "SAMPLE-AES", "SAMPLE-AES-CTR")
_STARTS = (b"#EXTM3U", b"#EXTINF", b"#EXT-X-")


@dataclass(frozen=True, slots=True)
class Key:
    """How segments are encrypted (4.3.2.4)."""

    method: str
    uri: str | None
    vector: str | None
    format: str

    @property
    def is_open(self) -> bool:
        """Whether anyone may fetch the key."""
        is_licence = (self.uri or "").lower().startswith("skd:")
        return self.method in _OPEN_METHODS and self.format == "identity" and not is_licence

    @property
    def is_for_samples(self) -> bool:
        """Whether pictures and frames of sound are encrypted one by one, and not the segment as a whole."""
        return self.method != "AES-128"


@dataclass(frozen=True, slots=True)
class InitSection:
    """The start of a fragmented file, fetched before its fragments (4.3.2.5). The range is as in :class:`Segment`."""

    uri: str
    byte_range: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One media segment.

    :param byte_range: first byte and number of bytes, None for the whole file.
    :param is_gap: the playlist says that its media are missing (RFC 8216bis, 4.4.4.7).
    :param fault: the tag that makes the segment unusable, None when it is usable.
    """

    number: int
    uri: str
    byte_range: tuple[int, int] | None = None
    key: Key | None = None
    init: InitSection | None = None
    is_discontinuity: bool = False
    fault: str | None = None
    is_gap: bool = False

    @property
    def name(self) -> str:
        """The last part of its address, which stays the same when tokens change, with its range."""
        file = self.uri.partition("?")[0].rpartition("/")[2]
        return f"{file}@{self.byte_range[0]}" if self.byte_range else file


@dataclass(frozen=True)
class MediaPlaylist:
    """A list of segments.

    :param target_s: the longest segment's duration in seconds.
    :param is_ended: no segment will be added.
    :param duration_s: the sum of all segments' durations in seconds.
    :param is_plain: no tag of HLS and no duration is in it: it lists stations, not segments.
    """

    segments: tuple[Segment, ...]
    target_s: float
    is_ended: bool
    is_plain: bool = False
    duration_s: float = 0.0


@dataclass(frozen=True)
class Variant:
    """One encoding of the stream (4.3.4.2)."""

    uri: str
    bandwidth: int = 0
    size: tuple[int, int] | None = None
    codecs: str | None = None
    audio_group: str | None = None
    subtitle_group: str | None = None

    @property
    def rank(self) -> tuple[int, int]:
        """More lines are better, then more bits."""
        return (self.size or (0, 0))[1], self.bandwidth


@dataclass(frozen=True)
class Rendition:
    """An alternative track in a playlist of its own (4.3.4.1); without an address it is inside the variant."""

    type: str
    group: str | None
    language: str | None
    uri: str | None
    is_default: bool


@dataclass(frozen=True)
class MasterPlaylist:
    """A list of variants and their renditions."""

    variants: tuple[Variant, ...]
    renditions: tuple[Rendition, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


def is_playlist(head: bytes) -> bool:
    """Return whether a body that begins with ``head`` is a playlist."""
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_STARTS)


def parse(data: bytes, url: str = "", variables: Mapping[str, str] | None = None) -> MasterPlaylist | MediaPlaylist:
    """Parse a playlist; lines that cannot be read are left out.

    :param url: its address, whose query may hold variables.
    :param variables: those of the list of variants that led here, which the playlist may import.
    :raises Refusal: for more than 300,000 lines.
    """
    if data.count(b"\n") > MAX_LINES:
        raise dead("not_media", f"a playlist has more than {MAX_LINES} lines", retryable=False)
    reader = _Reader(imported=variables or {}, query=urlsplit(url).query)
    for line in _lines(data):
        reader.take(line)
    return reader.result()


def _lines(data: bytes) -> Iterator[str]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield data[start : min(end, start + MAX_LINE_CHARACTERS)].decode("utf-8", errors="replace").strip("\ufeff \t\r")
        start = end + 1


@dataclass
class _Reader:
    """Takes a playlist's lines one after the other."""

    first_segments: list[Segment] = field(default_factory=list)
    last_segments: deque[Segment] = field(default_factory=lambda: deque(maxlen=MAX_SEGMENTS))
    variants: list[Variant] = field(default_factory=list)
    renditions: list[Rendition] = field(default_factory=list)
    number: int = 0
    target_s: float = 0.0
    longest_s: float = 0.0
    duration_s: float = 0.0
    is_ended: bool = False
    has_tags: bool = False
    variant: Variant | None = None
    # Variables by name: those of the list of variants, and those defined so far (RFC 8216bis, 4.3).
    imported: Mapping[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    query: str = ""
    # These apply to the next segment alone.
    byte_range: tuple[int, int] | None = None
    is_discontinuity: bool = False
    is_gap: bool = False
    fault: str | None = None
    has_new_key: bool = False
    # These apply to all segments that follow.
    key: Key | None = None
    init: InitSection | None = None
    range_end: int = 0

    def take(self, line: str) -> None:
        """Read one line."""
        if self.variables and "{$" in line:
            line = _VARIABLE.sub(lambda match: self.variables.get(match[1], match[0]), line)[:MAX_LINE_CHARACTERS]
        if line.startswith("#"):
            tag, _, value = line.partition(":")
            self.has_tags |= tag.startswith("#EXT-X-")
            if read := _TAGS.get(tag):
                read(self, value)
        elif line:
            self._take_uri(line)

    def result(self) -> MasterPlaylist | MediaPlaylist:
        """Return what the lines have said."""
        if self.variants and not self.first_segments:
            return MasterPlaylist(tuple(self.variants), tuple(self.renditions), self.variables)
        target = self.target_s or self.longest_s or DEFAULT_TARGET_SECONDS
        # Without an end the last segments matter, of a recording the first.
        segments: Iterable[Segment] = self.first_segments
        if not self.is_ended:
            segments = chain(self.first_segments, self.last_segments)
            segments = deque(segments, maxlen=MAX_SEGMENTS)
        is_plain = not self.has_tags and not self.longest_s
        return MediaPlaylist(tuple(segments), target, self.is_ended, is_plain, self.duration_s)

    def _take_uri(self, uri: str) -> None:
        if self.variant:
            if len(self.variants) < MAX_VARIANTS:
                self.variants.append(replace(self.variant, uri=uri))
            self.variant = None
            return
        segment = Segment(
            self.number, uri, self.byte_range, self.key, self.init, self.is_discontinuity, self.fault, self.is_gap
        )
        (self.first_segments if len(self.first_segments) < MAX_SEGMENTS else self.last_segments).append(segment)
        self.number += 1
        self.range_end = sum(segment.byte_range) if segment.byte_range else 0
        self.byte_range, self.is_discontinuity, self.fault = None, False, None
        self.is_gap = self.has_new_key = False

    # -- tags ----------------------------------------------------------------------------------
    def _duration(self, value: str) -> None:
        seconds = max(0.0, _number(value) or 0.0)
        self.longest_s = max(self.longest_s, seconds)
        self.duration_s += seconds

    def _target(self, value: str) -> None:
        self.target_s = max(0.0, _number(value) or 0.0)

    def _sequence(self, value: str) -> None:
        if not self.first_segments:
            self.number = max(0, round(_number(value) or 0))

    def _end(self, value: str) -> None:
        del value
        self.is_ended = True

    def _discontinuity(self, value: str) -> None:
        del value
        self.is_discontinuity = True

    def _gap(self, value: str) -> None:
        del value
        self.is_gap = True

    def _define(self, value: str) -> None:
        said = _attributes(value)
        name, text = said.get("NAME") or said.get("IMPORT"), said.get("VALUE")
        if name and text is None:
            text = self.imported.get(name)
        if not name:
            # The value stands in the playlist's own address (RFC 8216bis, 4.4.2.3).
            name = said.get("QUERYPARAM", "")
            text = dict(parse_qsl(self.query, keep_blank_values=True)).get(name)
        if name and text is not None and len(self.variables) < MAX_VARIABLES:
            self.variables[name] = text

    def _byte_range(self, value: str) -> None:
        self.byte_range = _byte_range(value, self.range_end)
        if self.byte_range is None:
            self.fault = "EXT-X-BYTERANGE"

    def _key(self, value: str) -> None:
        said = _attributes(value)
        key = Key(said.get("METHOD", "NONE"), said.get("URI"), said.get("IV"), said.get("KEYFORMAT", "identity"))
        # Several keys before a segment are the same key for several systems (4.3.2.4).
        if not (self.has_new_key and self.key and self.key.is_open):
            self.key = None if key.method == "NONE" else key
        self.has_new_key = True

    def _init(self, value: str) -> None:
        said = _attributes(value)
        uri, written = said.get("URI"), said.get("BYTERANGE")
        byte_range = _byte_range(written, 0) if written else None
        if not uri or (written and byte_range is None):
            self.fault = "EXT-X-MAP"
        else:
            self.init = InitSection(uri, byte_range)

    def _variant(self, value: str) -> None:
        said = _attributes(value)
        width, _, height = said.get("RESOLUTION", "").lower().partition("x")
        size = round(_number(width) or 0), round(_number(height) or 0)
        self.variant = Variant(
            "",
            max(0, round(_number(said.get("BANDWIDTH")) or _number(said.get("AVERAGE-BANDWIDTH")) or 0)),
            size if min(size) > 0 else None,
            said.get("CODECS"),
            said.get("AUDIO"),
            said.get("SUBTITLES"),
        )

    def _rendition(self, value: str) -> None:
        said = _attributes(value)
        if len(self.renditions) < MAX_VARIANTS:
            is_default = said.get("DEFAULT") == "YES"
            self.renditions.append(
                Rendition(said.get("TYPE", ""), said.get("GROUP-ID"), said.get("LANGUAGE"), said.get("URI"), is_default)
            )


_TAGS = {
    "#EXTINF": _Reader._duration,
    "#EXT-X-TARGETDURATION": _Reader._target,
    "#EXT-X-MEDIA-SEQUENCE": _Reader._sequence,
    "#EXT-X-ENDLIST": _Reader._end,
    "#EXT-X-DISCONTINUITY": _Reader._discontinuity,
    "#EXT-X-GAP": _Reader._gap,
    "#EXT-X-DEFINE": _Reader._define,
    "#EXT-X-BYTERANGE": _Reader._byte_range,
    "#EXT-X-KEY": _Reader._key,
    "#EXT-X-MAP": _Reader._init,
    "#EXT-X-STREAM-INF": _Reader._variant,
    "#EXT-X-MEDIA": _Reader._rendition,
}


def _attributes(text: str) -> dict[str, str]:
    """Return an attribute list (4.2) by name, without quotes."""
    return {name: value.strip().strip('"') for name, value in _ATTRIBUTE.findall(text)}


def _number(text: str | None) -> float | None:
    """Return the number that a text begins with, None for anything else."""
    match = _NUMBER.match(text or "")
    return float(match[1]) if match else None


def _byte_range(text: str, after: int) -> tuple[int, int] | None:
    """Return first byte and number of bytes of ``count[@first]``, by default directly ``after`` the last range."""
    match = _RANGE.fullmatch(text.strip())
    return (int(match[2]) if match[2] else after, int(match[1])) if match else None
