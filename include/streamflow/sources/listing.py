"""Channels from a plain list of streams: streams that show the same channel are put together."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streamflow.records import Channel

# Words of a name that describe the encoding, not the channel.
_QUALITY = re.compile(
    r"\b(?:sd|hd|fhd|uhd|qhd|hq|lq|raw|hdr(?:10)?|hevc|avc|[hx]\.?26[45]|[248]k|(?:2160|1440|1080|720|576|480)[pi]?|"
    r"(?:25|50|60)fps|backup)(?![\w+])"
)
_PUNCTUATION = re.compile(r"[^\w+&]+")
# Values that playlists write where a stream has no tvg-id.
_NO_ID = frozenset({"", "-", "0", "none", "null", "n/a", "na", "undefined", "unknown", "no_epg", "noepg"})


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

    Streams with the same tvg-id form one channel. A stream without a tvg-id joins the channel of its name if exactly
    one channel has that name.
    """
    members: dict[str, list[Listed]] = {}
    keys_by_name: dict[str, set[str]] = {}
    without_id: list[tuple[str, Listed]] = []
    for each in listed:
        name, tvg_id = plain_name(each.name), each.tvg_id.strip().casefold()
        if tvg_id in _NO_ID:
            without_id.append((name, each))
        else:
            members.setdefault(f"id {tvg_id}", []).append(each)
            keys_by_name.setdefault(name, set()).add(f"id {tvg_id}")
    for name, each in without_id:
        keys = keys_by_name.get(name, set())
        key = next(iter(keys)) if len(keys) == 1 else f"name {name}"
        members.setdefault(key, []).append(each)
    return (_channel(key, streams) for key, streams in members.items())


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
    plain = unicodedata.normalize("NFKC", name).casefold()
    words = _PUNCTUATION.sub(" ", _QUALITY.sub(" ", plain)).split()
    return " ".join(words) or " ".join(plain.split())


def stable_id(text: str) -> int:
    """Return an id of 52 bits that is the same for the same text at every refresh.

    An IEEE 754 double, and so every JSON parser, holds it exactly.
    """
    return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16)
