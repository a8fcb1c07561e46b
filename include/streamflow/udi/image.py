"""The image of a library in Redis: which keys it has, and what is in each.

Records lie in blocks of a few neighbours: text of one line a record, ``id`` and JSON. A hash would cost a table entry
a record (its compact form ends at values of 64 bytes); a key of its own, still more. Indexes that lead to many streams
are arrays of 64-bit ids. The image is a function of the library alone, so a refresh writes the keys that differ.
"""

from __future__ import annotations

import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from streamflow.udi.library import Library
from streamflow.udi.publication import Difference, difference

BLOCK = 16
# Of a URL's hash: this many digits name the block, the next ones the line. 76 bits tell any two URLs apart.
URL_BLOCK, URL_LINE = 3, 19

Image = dict[str, bytes]


def block(kind: str, record_id: int) -> str:
    """The key of the block that holds a record."""
    return f"{kind}:{record_id // BLOCK}"


def url_block(url_hash: str) -> tuple[str, str]:
    """The key of the block of a URL's hash, and the name of its line."""
    return f"url:{url_hash[:URL_BLOCK]}", url_hash[URL_BLOCK:URL_LINE]


def draw(library: Library) -> Image:
    """The whole image."""
    lines: dict[str, dict[int | str, str]] = defaultdict(dict)
    ids: dict[str, list[int]] = {"streams": sorted(library.streams), "channels": sorted(library.channels)}
    urls: dict[str, list[int]] = defaultdict(list)
    members: dict[int, list[int]] = defaultdict(list)
    lines["account"] = {key: library.accounts[key] for key in sorted(library.accounts)}
    lines["group"] = {key: library.groups[key] for key in sorted(library.groups)}
    for key in ids["streams"]:
        row = library.streams[key]
        lines[f"stream:{key // BLOCK}"][key] = row.text
        ids.setdefault(f"account:{row.account_id}:streams", []).append(key)
        ids.setdefault(f"group:{row.group_id}:streams", []).append(key)
        if row.url_hash:
            urls[row.url_hash].append(key)
    for key in ids["channels"]:
        channel = library.channels[key]
        lines[f"channel:{key // BLOCK}"][key] = channel.text
        ids.setdefault(f"group:{channel.group_id}:channels", []).append(key)
        for stream in dict.fromkeys(channel.stream_ids):
            members[stream].append(key)
    for stream in sorted(members):
        lines[f"member:{stream // BLOCK}"][stream] = listed(members[stream])
    for url_hash in sorted(urls):
        name, line = url_block(url_hash)
        lines[name][line] = listed(urls[url_hash])
    return {name: written(found.items()) for name, found in lines.items()} | {
        name: packed(found) for name, found in ids.items()
    }


def compared(kind: str, before: Mapping[str, bytes | None], after: Mapping[str, bytes]) -> tuple[Difference, Image]:
    """How the records of one kind differ, and the lines of those removed; parses only blocks that differ."""
    names = {name for name in (*before, *after) if name == kind or name.rpartition(":")[0] == kind}
    old: dict[int, bytes] = {}
    new: dict[int, bytes] = {}
    for name in names:
        was, now = before.get(name) or b"", after.get(name, b"")
        if was != now:
            old.update((int(key), value) for key, value in read(was))
            new.update((int(key), value) for key, value in read(now))
    found = difference(old, new)
    return found, {str(key): old[key] for key in found.removed}


def written(lines: Iterable[tuple[int | str, str]]) -> bytes:
    """A block of the given lines; no value may hold a line feed, which JSON never does."""
    return "".join(["\n", *(f"{key} {value}\n" for key, value in lines)]).encode()


def read(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The lines of a block: key and value."""
    for line in text.split(b"\n"):
        if line:
            key, _, value = line.partition(b" ")
            yield key, value


def find(text: bytes | None, key: int | str) -> bytes | None:
    """The value of one line of a block; nothing else of the block is looked at twice."""
    mark = f"\n{key} ".encode()
    start = text.find(mark) if text else -1
    if text is None or start < 0:
        return None
    start += len(mark)
    return text[start : text.index(b"\n", start)]


def listed(ids: Iterable[int]) -> str:
    """A few ids as a line's value."""
    return ",".join(map(str, ids))


def unlisted(value: bytes | None) -> list[int]:
    return [int(part) for part in value.split(b",")] if value else []


def packed(ids: Iterable[int]) -> bytes:
    """Many ids as 64-bit integers, little-endian."""
    numbers = array("q", ids)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpacked(value: bytes | None) -> list[int]:
    numbers = array("q", value or b"")
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
