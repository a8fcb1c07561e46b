"""A DASH manifest: from its XML to the segments of the best representation (ISO/IEC 23009-1). Times in seconds."""

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
# Of a long timeline only the end that is live matters, or the beginning of a recording.
MAX_SEGMENTS = 1000
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_VARIABLE = re.compile(r"\$(RepresentationID|Number|Time|Bandwidth|)(?:%0(\d{1,2})d)?\$")


@dataclass(frozen=True)
class SegmentRef:
    """What is to be fetched: an address, and first byte and number of bytes where it is a part of a file."""

    url: str
    byte_range: tuple[int, int] | None = None


@dataclass(frozen=True)
class Manifest:
    """The representation chosen: its segments in order, each with a key that grows from one to the next.

    ``sound`` is that of the best sound which comes by itself.
    """

    is_live: bool
    segments: list[tuple[tuple[float, int], SegmentRef]]
    init: SegmentRef | None
    target_s: float
    sound: Manifest | None = None


def is_manifest(head: bytes) -> bool:
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    return start.startswith((b"<?xml", b"<MPD", b"<!--")) and b"<MPD" in start


def read(text: str, url: str, now: float, told: PlaylistInfo) -> Manifest:
    """The manifest from ``url`` as of ``now`` (seconds since 1970); what else it offers is noted in ``told``.

    Raises Refusal for what cannot be read and for protected media.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        # A manifest has none; entities can name files and grow without bounds.
        raise dead("not_media", "the manifest defines entities", retryable=False)
    try:
        root = ElementTree.fromstring(text.encode())  # noqa: S314 - without entities there is nothing to attack
        return _Reader(root, url, now).manifest(told)
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

    def manifest(self, told: PlaylistInfo) -> Manifest:
        group, best, sound = self._choose(told)
        made = self._of(group, best)
        if sound is None:
            return made
        told.sound_language = sound[0].get("lang")
        return replace(made, sound=told.sound_opened(lambda: self._of(*sound)))

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

    def _choose(self, told: PlaylistInfo) -> tuple[Element, Element, tuple[Element, Element] | None]:
        """The video representation of most lines, then most bits, with its set, and the best sound with its own.

        Without video the best sound stands in the video's place.
        """
        found: dict[str, list[tuple[Element, Element]]] = {"video": [], "audio": []}
        for group in self._period.findall("{*}AdaptationSet"):
            for one in group.findall("{*}Representation"):
                mime = one.get("mimeType") or group.get("mimeType") or f"{group.get('contentType') or 'video'}/"
                found.setdefault(mime.partition("/")[0], []).append((group, one))
        for group, one in found["video"]:
            size = _whole(group, one, "width"), _whole(group, one, "height")
            told.note_variant(size if all(size) else None, _whole(group, one, "bandwidth"), one.get("codecs"))
        if found["video"]:
            for group in dict.fromkeys(group for group, _ in found["audio"]):
                told.note_audio(group.get("lang"))
        for group in dict.fromkeys(group for kind in ("text", "application") for group, _ in found.get(kind, [])):
            told.note_subtitles(group.get("lang"))
        choice = found["video"] or found["audio"]
        if not choice:
            raise dead("no_data", "the manifest has neither video nor sound")
        sound = max(found["audio"], key=_sound_rank) if found["video"] and found["audio"] else None
        return *max(choice, key=_rank), sound

    # -- the forms of addressing ---------------------------------------------------------------
    def _of_template(self, templates: list[Element], base: str, chosen: Element) -> Manifest:
        said = {name: value for one in templates for name, value in one.attrib.items()}
        scale, first = int(said.get("timescale", 1)), int(said.get("startNumber", 1))
        timeline = next((line for one in reversed(templates) if (line := one.find("{*}SegmentTimeline")) is not None),
                        None)  # fmt: skip

        def part(name: str, number: int, time: int) -> SegmentRef:
            values = {"RepresentationID": chosen.get("id", ""), "Bandwidth": chosen.get("bandwidth", "")}
            return SegmentRef(joined(base, _filled(said[name], values | {"Number": number, "Time": time})))

        if timeline is not None:
            offset = int(said.get("presentationTimeOffset", 0))
            runs = [(number, time) for number, time, _ in self._runs(timeline, first, scale, offset)]
            lengths = [int(one.get("d", 0)) / scale for one in timeline.findall("{*}S")]
            target = max(lengths, default=2.0)
            segments = [((self._start, time), part("media", number, time)) for number, time in runs]
        else:
            step = int(said["duration"])
            target = step / scale
            segments = [
                ((self._start, number), part("media", first + number, number * step))
                for number in self._numbers(target)
            ]
        init = part("initialization", first, 0) if "initialization" in said else None
        return Manifest(self._is_live, segments, init, target)

    def _numbers(self, length: float) -> range:
        """Of segments of equal length: those that are there, counted from 0."""
        if length <= 0:
            raise ValueError("segments without length")
        if self._is_live:
            end = max(0, math.floor(self._elapsed / length))
            return range(max(0, end - MAX_SEGMENTS), end)
        return range(min(MAX_SEGMENTS, math.ceil((self._length or length) / length)))

    def _runs(self, timeline: Element, number: int, scale: int, offset: int) -> Iterator[tuple[int, int, int]]:
        """Number, time and length of each segment; a run of many equal ones is cut to those that matter."""
        found: list[tuple[int, int, int]] = []
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
            found += [(number + index, time + index * length, length) for index in taken]
            found = found[-MAX_SEGMENTS:] if self._is_live else found[:MAX_SEGMENTS]
            number, time = number + count, time + count * length
        yield from found

    def _until(self, later: list[Element], scale: int, offset: int) -> float:
        """Where a run ends that goes on until the next one, the end of the period, or now (in ticks)."""
        if later and later[0].get("t"):
            return int(later[0].get("t", 0))
        return offset + scale * (self._elapsed if self._is_live else self._length or 0.0)

    def _of_list(self, lists: list[Element], base: str) -> Manifest:
        scale, length, first = 1, 0, 1
        for one in lists:
            scale, length = int(one.get("timescale", scale)), int(one.get("duration", length))
            first = int(one.get("startNumber", first))
        urls = lists[-1].findall("{*}SegmentURL")
        parts = [
            SegmentRef(joined(base, one.get("media")), _range(one.get("mediaRange"))) for one in urls[:MAX_SEGMENTS]
        ]
        init = next((found for one in reversed(lists) if (found := one.find("{*}Initialization")) is not None), None)
        begin = None if init is None else SegmentRef(joined(base, init.get("sourceURL")), _range(init.get("range")))
        numbered = [((self._start, number), each) for number, each in enumerate(parts, first)]
        return Manifest(self._is_live, numbered, begin, length / scale if length else 2.0)


def _inherited(path: list[Element], name: str) -> list[Element]:
    """The elements of a name from the outermost to the innermost, which adds to or replaces what is above it."""
    return [found for one in path if (found := one.find(f"{{*}}{name}")) is not None]


def _rank(place: tuple[Element, Element]) -> tuple[int, int]:
    return _whole(*place, "height"), _whole(*place, "bandwidth")


def _sound_rank(place: tuple[Element, Element]) -> tuple[bool, int]:
    """What is meant for all comes first, then most bits."""
    role = place[0].find("{*}Role")
    return role is not None and role.get("value") == "main", _whole(*place, "bandwidth")


def _whole(group: Element, one: Element, name: str) -> int:
    return int(one.get(name) or group.get(name) or 0)


def _filled(template: str, values: dict[str, str | int]) -> str:
    """The template with its variables, as ``$Number%05d$``; two dollar signs are one."""

    def value(found: re.Match[str]) -> str:
        name, width = found.groups()
        return "$" if not name else str(values[name]).zfill(min(int(width or 0), 20))

    return _VARIABLE.sub(value, template)


def _seconds(text: str | None) -> float | None:
    """The seconds of an ISO 8601 duration such as ``PT1H2M3.5S``."""
    if text is None:
        return None
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("not a duration")
    return sum(float(value or 0) * unit for value, unit in zip(found.groups(), (86400, 3600, 60, 1), strict=True))


def _moment(text: str) -> float:
    """Seconds since 1970 of a date and time, which is UTC where it does not say otherwise."""
    told = datetime.fromisoformat(text)
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def _range(text: str | None) -> tuple[int, int] | None:
    """First byte and number of bytes of ``first-last``."""
    if not text:
        return None
    first, _, last = text.partition("-")
    return int(first), int(last) - int(first) + 1
