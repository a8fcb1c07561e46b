"""Channels from a bare list of streams: those that show the same under several addresses become one."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streamflow.records import Channel

# Words of a name that tell how something is sent, not what.
_QUALITY = re.compile(
    r"\b(?:sd|hd|fhd|uhd|qhd|hq|lq|raw|hdr(?:10)?|hevc|avc|[hx]\.?26[45]|[248]k|(?:2160|1440|1080|720|576|480)[pi]?|"
    r"(?:25|50|60)fps|backup)(?![\w+])"
)
_NO_WORD = re.compile(r"[^\w+&]+")
# What is written where there is no tvg-id.
_NO_ID = frozenset({"", "-", "0", "none", "null", "n/a", "na", "undefined", "unknown", "no_epg", "noepg"})


@dataclass(frozen=True, slots=True)
class Listed:
    """A stream where it stands in the list; ``number`` is the channel's, if the list tells one."""

    stream_id: int
    name: str
    tvg_id: str = ""
    group_id: int | None = None
    number: float | None = None


def channels(listed: Iterable[Listed]) -> Iterator[Channel]:
    """The channels, each with its streams in the order of the list.

    Streams of one tvg-id are one channel. One without joins those of its name, if only one channel has them.
    """
    found: dict[str, list[Listed]] = {}
    ids_of_name: dict[str, set[str]] = {}
    nameless: list[tuple[str, Listed]] = []
    for each in listed:
        name, tvg_id = plain_name(each.name), each.tvg_id.strip().casefold()
        if tvg_id in _NO_ID:
            nameless.append((name, each))
        else:
            found.setdefault(f"id {tvg_id}", []).append(each)
            ids_of_name.setdefault(name, set()).add(f"id {tvg_id}")
    for name, each in nameless:
        known = ids_of_name.get(name, set())
        key = next(iter(known)) if len(known) == 1 else f"name {name}"
        found.setdefault(key, []).append(each)
    return (_channel(key, members) for key, members in found.items())


def _channel(key: str, members: list[Listed]) -> Channel:
    first = members[0]
    return Channel(
        id=number_of(key),
        name=first.name,
        number=next((each.number for each in members if each.number is not None), None),
        group_id=first.group_id,
        stream_ids=tuple(dict.fromkeys(each.stream_id for each in members)),
    )


def plain_name(name: str) -> str:
    """What a name says of the channel: without case, punctuation and the quality it promises."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    words = _NO_WORD.sub(" ", _QUALITY.sub(" ", plain)).split()
    return " ".join(words) or " ".join(plain.split())


def number_of(text: str) -> int:
    """An id that is the same at every refresh, and that a JSON number and a float hold exactly."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16)
