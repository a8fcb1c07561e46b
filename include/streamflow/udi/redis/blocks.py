"""How the library lies in Redis: blocks of records, and of lines that lead to a few records; arrays of many ids.

A block is text, one line a record: its id and its JSON. A hash would cost a table entry a record (its compact form ends
at values of 64 bytes), a key of its own still more. Arrays have 64-bit ids, little-endian and ascending.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping

from streamflow.udi.publication import Difference, difference

# Records in a block, by kind; the few of the others are one block.
BLOCK = {"stream": 16, "channel": 16, "member": 16}
# Of a URL's hash: so many digits name the block, those up to here the line. 76 bits tell any two URLs apart.
URL_BLOCK, URL_LINE = 3, 19


def block(kind: str, record_id: int) -> str:
    """The name of the block that holds a record, or of a stream's line in the index of channels (``member``)."""
    size = BLOCK.get(kind)
    return f"{kind}:{record_id // size}" if size else kind


def names(kind: str, record_ids: Iterable[int]) -> list[str]:
    """The names of all blocks that hold records of the given ids."""
    size = BLOCK[kind]
    return [f"{kind}:{place}" for place in {key // size for key in record_ids}]


def url_line(url_hash: str) -> tuple[str, str]:
    """The name of the block of a URL's hash, and the key of its line."""
    return f"url:{url_hash[:URL_BLOCK]}", url_hash[URL_BLOCK:URL_LINE]


def url_blocks() -> Iterator[str]:
    """The names of all blocks of URLs' hashes."""
    return (f"url:{number:0{URL_BLOCK}x}" for number in range(16**URL_BLOCK))


def url_digits(name: str) -> bytes:
    """The digits of a URL's hash that the name of its block tells."""
    return name.removeprefix("url:").encode()


def blocks(kind: str, texts: Mapping[int, bytes]) -> dict[str, bytes]:
    """All blocks of the records of one kind."""
    size = BLOCK.get(kind)
    lines: dict[int, list[bytes]] = {}
    for key in sorted(texts):
        place = key // size if size else 0
        line = b"%d %b\n" % (key, texts[key])
        if place in lines:
            lines[place].append(line)
        else:
            lines[place] = [b"\n", line]
    return {f"{kind}:{place}" if size else kind: b"".join(found) for place, found in lines.items()}


def compared(
    before: Mapping[str, bytes | None], after: Mapping[str, bytes]
) -> tuple[Difference, dict[int, bytes], dict[str, bytes | None]]:
    """How blocks of one kind differ: by record, the former texts of the records in question, and the blocks to write.

    Only blocks that differ are looked into; None stands for one that goes.
    """
    old: dict[int, bytes] = {}
    new: dict[int, bytes] = {}
    writes: dict[str, bytes | None] = {}
    for name in (*after, *(name for name in before if name not in after)):
        was, now = before.get(name), after.get(name)
        if was != now:
            writes[name] = now
            old.update((int(key), value) for key, value in read(was))
            new.update((int(key), value) for key, value in read(now))
    return difference(old, new), old, writes


def read(text: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """The lines of a block: key and value."""
    for line in (text or b"").split(b"\n"):
        if line:
            key, _, value = line.partition(b" ")
            yield key, value


def written(lines: Mapping[bytes, bytes]) -> bytes | None:
    """A block of the given lines, None if there is no line. No value holds a line feed: JSON never does."""
    return b"".join((b"\n", *(b"%b %b\n" % line for line in lines.items()))) if lines else None


def find(text: bytes | None, key: int | str) -> bytes | None:
    """The value of one line of a block."""
    mark = f"\n{key} ".encode()
    start = text.find(mark) if text else -1
    if text is None or start < 0:
        return None
    start += len(mark)
    return text[start : text.index(b"\n", start)]


def listed(ids: Iterable[int]) -> bytes:
    """A few ids as a line's value."""
    return ",".join(map(str, ids)).encode()


def unlisted(value: bytes | None) -> list[int]:
    return [int(part) for part in value.split(b",")] if value else []


def packed(ids: Iterable[int]) -> bytes:
    """Many ids as an array."""
    numbers = array("q", ids)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpacked(value: bytes | None) -> list[int]:
    numbers = array("q", value or b"")
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
