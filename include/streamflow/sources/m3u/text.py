"""The lines of a playlist as they are found in the world: packed or not, in any encoding, with any line ends."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from streamflow.errors import SourceRefused, SourceUnavailable

PIECE_BYTES = 1 << 16
# What is longer is no line of a playlist.
LINE_BYTES = 1 << 20
# Some are packed once more on their way.
MOST_PACKED = 2
_WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def lines(file: BinaryIO) -> Iterator[str]:
    """The lines of a file that can be sought in, without their ends and surrounding blanks.

    Raises SourceUnavailable for gzip that is cut off or broken, SourceRefused for what is no text.
    """
    try:
        for line in _raw_lines(_plain(file)):
            yield _decoded(line).strip()
    except EOFError as error:
        raise SourceUnavailable("the playlist was cut off: its gzip has no end") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceUnavailable("the playlist is broken: its gzip cannot be read") from error


def _plain(file: BinaryIO) -> BinaryIO:
    """The file unpacked and without its byte order mark; wide characters become UTF-8."""
    for _ in range(MOST_PACKED):
        if _start(file, 2) != b"\x1f\x8b":
            break
        file = cast("BinaryIO", io.BufferedReader(gzip.GzipFile(fileobj=file, mode="rb")))
    start = _start(file, 3)
    if start == codecs.BOM_UTF8:
        file.read(3)
    elif start[:2] in _WIDE:
        return cast("BinaryIO", codecs.EncodedFile(file, "utf-8", _WIDE[start[:2]], "replace"))
    return file


def _start(file: BinaryIO, count: int) -> bytes:
    at = file.tell()
    start = file.read(count)
    file.seek(at)
    return start


def _raw_lines(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while piece := file.read(PIECE_BYTES):
        data = rest + piece
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        rest = data[end:]
        if len(rest) > LINE_BYTES:
            raise SourceRefused("this is no playlist: a line of it has no end; give the address of an M3U playlist")
        yield from data[:end].splitlines()
    yield from rest.splitlines()


def _decoded(line: bytes) -> str:
    """A line may be in another encoding than the one before: playlists are pieced together from others."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")
