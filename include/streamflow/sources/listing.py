"""Channels from a plain list of streams: streams that show the same channel are put together."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streamflow.records import Channel
from streamflow.records.text import NAME_LENGTH

# Words of a name that describe the encoding, not the channel. RAW and 4K are not here: WWE RAW and Canal 4K are names.
_QUALITY = re.compile(
    r"\b(?:sd|hd|fhd|qhd|hq|lq|hdr(?:10)?|hevc|avc|[hx]\.?26[45]|(?:2160|1440|1080|720|576|480)[pi]?|"
    r"(?:25|50|60)fps|backup)(?![\w+])"
)
_PUNCTUATION = re.compile(r"[^\w+&]+")
# Values that playlists write where a stream has no tvg-id.
_NO_ID = frozenset({"", "-", "0", "none", "null", "n/a", "na", "undefined", "unknown", "no_epg", "noepg"})

# More live streams than any provider has; a list of more would fill the memory.
MOST_STREAMS = 500_000


def too_many(source: str, kind: str) -> str:
    """Return the message about a source that lists more than :data:`MOST_STREAMS`."""
    return f"{source} lists more than {MOST_STREAMS:,} {kind}; give one with the groups that you use"


@dataclass(frozen=True, slots=True)
class Listed:
    """A stream in the list; ``number`` is the channel's number where the list has one."""

    stream_id: int
    name: str
    tvg_id: str = ""
    group_id: int | None = None
    number: float | None = None


def channels(listed: Iterable[Listed]) -> Iterator[Channel]:
    """Return the channels, each with its streams in the order of the list.

    Streams with the same tvg-id and related names form one channel; providers give one tvg-id to many events. A stream
    without a tvg-id joins the channel of its name if exactly one channel has that name.
    """
    by_id: dict[str, dict[str, list[tuple[int, Listed]]]] = {}
    without_id: list[tuple[str, tuple[int, Listed]]] = []
    for position, each in enumerate(listed):
        name, tvg_id = plain_name(each.name), each.tvg_id.strip().casefold()
        if tvg_id in _NO_ID:
            without_id.append((name, (position, each)))
        else:
            by_id.setdefault(tvg_id, {}).setdefault(name, []).append((position, each))
    members: dict[str, list[tuple[int, Listed]]] = {}
    keys_by_name: dict[str, set[str]] = {}
    for tvg_id, by_name in by_id.items():
        for name, key in _keys(tvg_id, by_name).items():
            members.setdefault(key, []).extend(by_name[name])
            keys_by_name.setdefault(name, set()).add(key)
    for name, stream in without_id:
        keys = keys_by_name.get(name, set())
        key = next(iter(keys)) if len(keys) == 1 else f"name {name}"
        members.setdefault(key, []).append(stream)
    ordered = sorted(((sorted(streams, key=_position), key) for key, streams in members.items()), key=_first_position)
    return (_channel(key, [each for _, each in streams]) for streams, key in ordered)


def _keys(tvg_id: str, names: Iterable[str]) -> dict[str, str]:
    """Return the channel of each name under one tvg-id: names of which one adds no more than words are related."""
    roots: list[str] = []
    root_of: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (len(name.split()), name)):
        root = next((root for root in roots if _are_related(root, name)), name)
        if root == name:
            roots.append(name)
        root_of[name] = root
    alone = len(roots) == 1
    return {name: f"id {tvg_id}" if alone else f"id {tvg_id} {root}" for name, root in root_of.items()}


def _are_related(short: str, long: str) -> bool:
    """Return whether the longer name holds all words of the shorter one, and adds no number."""
    added = set(long.split()) - set(short.split())
    return set(short.split()) <= set(long.split()) and not any(char.isdigit() for word in added for char in word)


def _position(stream: tuple[int, Listed]) -> int:
    return stream[0]


def _first_position(channel: tuple[list[tuple[int, Listed]], str]) -> int:
    return channel[0][0][0]


def _channel(key: str, members: list[Listed]) -> Channel:
    first = members[0]
    return Channel(
        id=stable_id(key),
        name=first.name,
        number=next((each.number for each in members if each.number is not None), None),
        group_id=first.group_id,
        stream_ids=tuple(dict.fromkeys(each.stream_id for each in members)),
    )


def plain_name(name: str) -> str:
    """Return a channel's name without case, punctuation and words about quality, for comparing."""
    # Composing takes quadratic time where a letter has many accents.
    plain = unicodedata.normalize("NFKC", name[:NAME_LENGTH]).casefold()
    plain = re.sub(r"\b4k\b", "uhd", plain)
    words = _PUNCTUATION.sub(" ", _QUALITY.sub(" ", plain)).split()
    return " ".join(words) or " ".join(plain.split())


def stable_id(text: str) -> int:
    """Return an id of 52 bits that is the same for the same text at every refresh.

    An IEEE 754 double, and so every JSON parser, holds it exactly.
    """
    return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16)
