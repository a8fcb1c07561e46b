"""Parsing of DASH manifests: the segments of the best representation (ISO/IEC 23009-1). Times are in seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from xml.etree import ElementTree

from streamflow.probing.judgement.refusal import dead
from streamflow.probing.net.http_client import joined
from streamflow.probing.protocols.segments import PlaylistInfo

Element = ElementTree.Element
# A representation, behind the adaptation set that it belongs to.
_Place = tuple[Element, Element]
# A long timeline is cut to its end where it is live, else to its beginning.
MAX_SEGMENTS = 1000
# Elements and attributes of a whole manifest; each takes some 100 and 400 bytes of memory. A recording window of a day
# in segments of two seconds has 43,200 elements.
MAX_ELEMENTS = 200_000
MAX_ATTRIBUTES = 400_000
_COUNT = r"(\d+(?:[.,]\d+)?)"
_DURATION = re.compile(
    rf"[+]?P(?:{_COUNT}Y)?(?:{_COUNT}M)?(?:{_COUNT}W)?(?:{_COUNT}D)?(?:T(?:{_COUNT}H)?(?:{_COUNT}M)?(?:{_COUNT}S)?)?"
)
_DURATION_UNITS = (365 * 86400, 30 * 86400, 7 * 86400, 86400, 3600, 60, 1)
_VARIABLE = re.compile(r"\$(RepresentationID|Number|Time|Bandwidth|)(?:%0(\d{1,2})d)?\$")


@dataclass(frozen=True)
class SegmentRef:
    """A segment's address; its first byte and number of bytes where it is a part of a file."""

    url: str
    byte_range: tuple[int, int] | None = None


@dataclass(frozen=True)
class Manifest:
    """One representation.

    :param segments: in order, each with a key that grows from one segment to the next.
    :param alternatives: the number of representations of lower rank.
    :param audio: the best audio that comes in segments of its own.
    :param duration_s: the duration of a recording in seconds, where the manifest names it.
    :param location: the address to load a live manifest from again, where it names one.
    """

    is_live: bool
    segments: list[tuple[tuple[float, int], SegmentRef]]
    init: SegmentRef | None
    target_s: float
    audio: Manifest | None = None
    size: tuple[int, int] | None = None
    bandwidth: int = 0
    alternatives: int = 0
    duration_s: float = 0.0
    location: str | None = None


def is_manifest(head: bytes) -> bool:
    """Return whether a body that begins with ``head`` is a DASH manifest."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    return start.startswith((b"<?xml", b"<MPD", b"<!--")) and b"<MPD" in start


def parse(document: bytes, url: str, now: float, info: PlaylistInfo, *, skipped: int = 0) -> Manifest:
    """Return the best representation of a manifest; all others are noted in ``info``.

    :param url: the address of the manifest.
    :param now: seconds since 1970 by the server's clock.
    :param skipped: the number of better representations to leave out.
    :raises Refusal: for a manifest that cannot be read, and for protected media.
    """
    if document.count(b"<") > MAX_ELEMENTS or document.count(b"=") > MAX_ATTRIBUTES:
        detail = f"the manifest has more than {MAX_ELEMENTS} elements or {MAX_ATTRIBUTES} attributes"
        raise dead("not_media", detail, retryable=False)
    text = document.decode("utf-8", errors="replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        # No manifest needs entities, which can name files and grow without bounds.
        raise dead("not_media", "the manifest defines entities", retryable=False)
    try:
        root = ElementTree.fromstring(text.encode())  # noqa: S314 - without entities there is nothing to attack
        return _Reader(root, url, now).manifest(info, skipped)
    except (ElementTree.ParseError, ValueError, LookupError, ArithmeticError) as error:
        raise dead("not_media", f"the manifest cannot be read: {type(error).__name__}") from error


class _Reader:
    def __init__(self, root: Element, url: str, now: float) -> None:
        self._root = root
        self._url = url
        self._is_live = root.get("type") == "dynamic"
        periods = root.findall("{*}Period")
        if not periods:
            raise dead("no_data", "the manifest has no period")
        self._period = periods[-1] if self._is_live else periods[0]
        self._start = _seconds(self._period.get("start")) or 0.0
        self._length = _seconds(self._period.get("duration"))
        if self._length is None:
            self._length = _seconds(root.get("mediaPresentationDuration"))
        available = root.get("availabilityStartTime")
        since = _moment(available) if available else now
        self._elapsed = now - since - self._start
        total = _seconds(root.get("mediaPresentationDuration"))
        self._duration_s = total or sum(_seconds(period.get("duration")) or 0.0 for period in periods)

    def manifest(self, info: PlaylistInfo, skipped: int) -> Manifest:
        """Return the best representation but ``skipped``, with its audio."""
        videos, audio = self._choose(info)
        group, chosen = videos[min(skipped, len(videos) - 1)]
        size = _integer(group, chosen, "width"), _integer(group, chosen, "height")
        made = replace(
            self._of(group, chosen),
            size=size if all(size) else None,
            bandwidth=_integer(group, chosen, "bandwidth"),
            alternatives=max(0, len(videos) - 1 - skipped),
            duration_s=self._duration_s,
            location=(self._root.findtext("{*}Location") or "").strip() or None,
        )
        if audio is None:
            return made
        info.audio_language = audio[0].get("lang")
        return replace(made, audio=info.audio_opened(lambda: self._of(*audio)))

    def _of(self, group: Element, chosen: Element) -> Manifest:
        path = [self._root, self._period, group, chosen]
        if any(one.find("{*}ContentProtection") is not None for one in path):
            raise dead("drm_protected", "the manifest protects the media", retryable=False)
        base = self._url
        for one in path:
            address = one.find("{*}BaseURL")
            base = base if address is None else joined(base, (address.text or "").strip())
        if template := _inherited(path, "SegmentTemplate"):
            return self._of_template(template, base, chosen)
        if listed := _inherited(path, "SegmentList"):
            return self._of_list(listed, base)
        return Manifest(self._is_live, [((self._start, 0), SegmentRef(base))], None, self._length or 2.0)

    def _choose(self, info: PlaylistInfo) -> tuple[list[_Place], _Place | None]:
        """Return the video representations, the best first, and the best audio.

        Without video the audio takes its place.
        """
        places: dict[str, list[_Place]] = {"video": [], "audio": []}
        for group in self._period.findall("{*}AdaptationSet"):
            for one in group.findall("{*}Representation"):
                mime = one.get("mimeType") or group.get("mimeType") or f"{group.get('contentType') or 'video'}/"
                places.setdefault(mime.partition("/")[0], []).append((group, one))
        for group, one in places["video"]:
            size = _integer(group, one, "width"), _integer(group, one, "height")
            info.note_variant(size if all(size) else None, _integer(group, one, "bandwidth"), one.get("codecs"))
        if places["video"]:
            for group in dict.fromkeys(group for group, _ in places["audio"]):
                info.note_audio(group.get("lang"))
        for group in dict.fromkeys(group for kind in ("text", "application") for group, _ in places.get(kind, [])):
            info.note_subtitles(group.get("lang"))
        choice = places["video"] or places["audio"]
        if not choice:
            raise dead("no_data", "the manifest has neither video nor audio")
        audio = max(places["audio"], key=_audio_rank) if places["video"] and places["audio"] else None
        return sorted(choice, key=_rank, reverse=True), audio

    # -- the forms of addressing ---------------------------------------------------------------
    def _of_template(self, templates: list[Element], base: str, chosen: Element) -> Manifest:
        attributes = {name: value for one in templates for name, value in one.attrib.items()}
        scale, first = int(attributes.get("timescale", 1)), int(attributes.get("startNumber", 1))
        timeline = next((line for one in reversed(templates) if (line := one.find("{*}SegmentTimeline")) is not None),
                        None)  # fmt: skip

        def segment_ref(name: str, number: int, time: int) -> SegmentRef:
            values = {"RepresentationID": chosen.get("id", ""), "Bandwidth": chosen.get("bandwidth", "")}
            return SegmentRef(joined(base, _filled(attributes[name], values | {"Number": number, "Time": time})))

        if timeline is not None:
            offset = int(attributes.get("presentationTimeOffset", 0))
            runs = [(number, time) for number, time, _ in self._runs(timeline, first, scale, offset)]
            lengths = [int(one.get("d", 0)) / scale for one in timeline.findall("{*}S")]
            target = max(lengths, default=2.0)
            segments = [((self._start, time), segment_ref("media", number, time)) for number, time in runs]
        else:
            step = int(attributes["duration"])
            target = step / scale
            segments = [
                ((self._start, number), segment_ref("media", first + number, number * step))
                for number in self._numbers(target)
            ]
        init = segment_ref("initialization", first, 0) if "initialization" in attributes else None
        return Manifest(self._is_live, segments, init, target)

    def _numbers(self, length: float) -> range:
        """Return the indices of the segments that are available, all of ``length`` seconds."""
        if length <= 0:
            raise ValueError("segments without length")
        if self._is_live:
            end = max(0, math.floor(self._elapsed / length))
            return range(max(0, end - MAX_SEGMENTS), end)
        return range(min(MAX_SEGMENTS, math.ceil((self._length or length) / length)))

    def _runs(self, timeline: Element, number: int, scale: int, offset: int) -> Iterator[tuple[int, int, int]]:
        """Yield number, time and length of each segment; a long run is cut to the part that :meth:`_of` needs."""
        runs: list[tuple[int, int, int]] = []
        entries, time = timeline.findall("{*}S"), 0
        for place, entry in enumerate(entries):
            length, repeats = int(entry.get("d", 0)), int(entry.get("r", 0))
            if length <= 0:
                raise ValueError("a segment without length")
            time = int(entry.get("t", time))
            if repeats < 0:
                until = self._until(entries[place + 1 :], scale, offset)
                repeats = max(0, math.floor((until - time) / length) - (1 if self._is_live else 0))
            count = repeats + 1
            skipped = max(0, count - MAX_SEGMENTS) if self._is_live else 0
            taken = range(skipped, min(count, skipped + MAX_SEGMENTS))
            runs += [(number + index, time + index * length, length) for index in taken]
            runs = runs[-MAX_SEGMENTS:] if self._is_live else runs[:MAX_SEGMENTS]
            number, time = number + count, time + count * length
        yield from runs

    def _until(self, later: list[Element], scale: int, offset: int) -> float:
        """Return the end of an open run in ticks: the next run, the end of the period, or now."""
        if later and later[0].get("t"):
            return int(later[0].get("t", 0))
        return offset + scale * (self._elapsed if self._is_live else self._length or 0.0)

    def _of_list(self, lists: list[Element], base: str) -> Manifest:
        scale, length, first = 1, 0, 1
        for one in lists:
            scale, length = int(one.get("timescale", scale)), int(one.get("duration", length))
            first = int(one.get("startNumber", first))
        urls = lists[-1].findall("{*}SegmentURL")
        segments = [
            SegmentRef(joined(base, one.get("media")), _range(one.get("mediaRange"))) for one in urls[:MAX_SEGMENTS]
        ]
        init = next(
            (element for one in reversed(lists) if (element := one.find("{*}Initialization")) is not None), None
        )
        begin = None if init is None else SegmentRef(joined(base, init.get("sourceURL")), _range(init.get("range")))
        numbered = [((self._start, number), each) for number, each in enumerate(segments, first)]
        return Manifest(self._is_live, numbered, begin, length / scale if length else 2.0)


def _inherited(path: list[Element], name: str) -> list[Element]:
    """Return the elements of a name, the outermost first; an inner one adds to and replaces the outer ones."""
    return [element for one in path if (element := one.find(f"{{*}}{name}")) is not None]


def _rank(place: _Place) -> tuple[int, int]:
    return _integer(*place, "height"), _integer(*place, "bandwidth")


def _audio_rank(place: _Place) -> tuple[bool, int]:
    """Return a key by which the main programme comes first, then the most bits."""
    role = place[0].find("{*}Role")
    return role is not None and role.get("value") == "main", _integer(*place, "bandwidth")


def _integer(group: Element, one: Element, name: str) -> int:
    """Return a number that is not needed to fetch segments; 0 where it is missing or wrong."""
    written = one.get(name) or group.get(name) or ""
    return int(written) if written.isdecimal() and len(written) < 16 else 0


def _filled(template: str, values: dict[str, str | int]) -> str:
    """Return a template with its variables, such as ``$Number%05d$``, replaced; two dollar signs are one."""

    def value(match: re.Match[str]) -> str:
        name, width = match.groups()
        return "$" if not name else str(values[name]).zfill(min(int(width or 0), 20))

    return _VARIABLE.sub(value, template)


def _seconds(text: str | None) -> float | None:
    """Return the seconds of an ISO 8601 duration such as ``PT1H2M3.5S``; a month has 30 days, a year 365."""
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a duration")
    counts = (float((count or "0").replace(",", ".")) for count in match.groups())
    return sum(count * unit for count, unit in zip(counts, _DURATION_UNITS, strict=True))


def _moment(text: str) -> float:
    """Return the seconds since 1970 of a date and time, by default of UTC."""
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _range(text: str | None) -> tuple[int, int] | None:
    """Return first byte and number of bytes of ``first-last``."""
    if not text:
        return None
    first, _, last = text.partition("-")
    return int(first), int(last) - int(first) + 1
