"""The layout of the library in Redis: blocks of records, blocks of small index lines, and arrays of many ids.

A block is text with one line a record: its id and its JSON. A hash would cost a table entry a record, because the
compact form of a hash ends at values of 64 bytes. A key for each record would cost still more. Arrays hold 64-bit ids,
little-endian and ascending.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping

from streamflow.udi.publication import Difference, difference

# The number of consecutive ids in a block, by kind. Each of the other kinds is few records in one block.
SIZES = {"stream": 16, "channel": 16, "member": 16}
# The hexadecimal digits of a URL's hash: the first three name the block, those up to the 19th the line. These 76 bits
# distinguish any two URLs.
URL_BLOCK, URL_LINE = 3, 19


def name_of(kind: str, record_id: int) -> str:
    """Return the name of the block that holds a record.

    :param kind: ``account``, ``group``, ``stream``, ``channel``, or ``member`` for the channels of a stream.
    """
    size = SIZES.get(kind)
    return f"{kind}:{record_id // size}" if size else kind


def names_of(kind: str, record_ids: Iterable[int]) -> list[str]:
    """Return the names of all blocks that hold records of the given ids."""
    size = SIZES[kind]
    return [f"{kind}:{place}" for place in {key // size for key in record_ids}]


def url_line(url_hash: str) -> tuple[str, str]:
    """Return the name of the block of a URL's hash, and the key of its line."""
    return f"url:{url_hash[:URL_BLOCK]}", url_hash[URL_BLOCK:URL_LINE]


def url_blocks() -> Iterator[str]:
    """Yield the names of all blocks of URL hashes."""
    return (f"url:{number:0{URL_BLOCK}x}" for number in range(16**URL_BLOCK))


def url_lines(name: str, text: bytes | None) -> Iterator[tuple[bytes, list[int]]]:
    """Yield the lines of a block of URL hashes: the first 19 digits of the hash, and the ids of the streams."""
    first_digits = name.removeprefix("url:").encode()
    return ((first_digits + line, unlisted(ids)) for line, ids in read(text))


def of_records(kind: str, texts: Mapping[int, bytes]) -> dict[str, bytes]:
    """Return all blocks of the records of one kind, by name."""
    size = SIZES.get(kind)
    lines: dict[int, list[bytes]] = {}
    for key in sorted(texts):
        place = key // size if size else 0
        line = b"%d %b\n" % (key, texts[key])
        if place in lines:
            lines[place].append(line)
        else:
            lines[place] = [b"\n", line]
    return {f"{kind}:{place}" if size else kind: b"".join(block) for place, block in lines.items()}


def compared(
    before: Mapping[str, bytes | None], after: Mapping[str, bytes]
) -> tuple[Difference, dict[int, bytes], dict[str, bytes | None]]:
    """Compare the blocks of one kind. Only blocks that differ are parsed.

    :returns: the difference of the records; the former texts of the records in differing blocks, by id; the blocks to
        write, where None stands for a block to delete.
    """
    old: dict[int, bytes] = {}
    new: dict[int, bytes] = {}
    writes: dict[str, bytes | None] = {}
    for name in (*after, *(name for name in before if name not in after)):
        old_block, new_block = before.get(name), after.get(name)
        if old_block != new_block:
            writes[name] = new_block
            old.update((int(key), value) for key, value in read(old_block))
            new.update((int(key), value) for key, value in read(new_block))
    return difference(old, new), old, writes


def read(text: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """Yield the lines of a block: key and value."""
    for line in (text or b"").split(b"\n"):
        if line:
            key, _, value = line.partition(b" ")
            yield key, value


def written(lines: Mapping[bytes, bytes]) -> bytes | None:
    """Return a block of lines, or None when there is no line.

    Values contain no line feed, because JSON escapes it (RFC 8259, section 7).
    """
    return b"".join((b"\n", *(b"%b %b\n" % line for line in lines.items()))) if lines else None


def find(text: bytes | None, key: int | str) -> bytes | None:
    """Return the value of one line of a block."""
    mark = f"\n{key} ".encode()
    start = text.find(mark) if text else -1
    if text is None or start < 0:
        return None
    start += len(mark)
    return text[start : text.index(b"\n", start)]


def listed(ids: Iterable[int]) -> bytes:
    """Return a few ids as the value of a line."""
    return ",".join(map(str, ids)).encode()


def unlisted(value: bytes | None) -> list[int]:
    """Return the ids of a line's value."""
    return [int(part) for part in value.split(b",")] if value else []


def packed(ids: Iterable[int]) -> bytes:
    """Return many ids as an array."""
    numbers = array("q", ids)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpacked(value: bytes | None) -> list[int]:
    """Return the ids of an array."""
    numbers = array("q", value or b"")
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
