"""The lines of a playlist: compressed or not, in any encoding, with any line ends."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from streamflow.errors import SourceRefused, SourceUnavailable

PIECE_BYTES = 1 << 16
# A longer line is not part of a playlist.
LINE_BYTES = 1 << 20
# A playlist of ten million streams is smaller; a few megabytes of gzip can become more.
TEXT_BYTES = 4 << 30
# Some servers compress a compressed file once more.
GZIP_LAYERS = 2
_WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def lines(file: BinaryIO) -> Iterator[str]:
    """Return the lines of a seekable file, without line ends and surrounding blanks.

    :raises SourceUnavailable: the gzip data is cut off or damaged.
    :raises SourceRefused: the file is not text.
    """
    try:
        for line in _raw_lines(_plain(file)):
            yield _decoded(line).strip()
    except EOFError as error:
        raise SourceUnavailable("the playlist is cut off: its gzip data has no end") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceUnavailable("the playlist is damaged: its gzip data cannot be read") from error


def _plain(file: BinaryIO) -> BinaryIO:
    """Return the file decompressed and without its byte order mark; UTF-16 becomes UTF-8."""
    for _ in range(GZIP_LAYERS):
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
    rest, size = b"", 0
    while piece := file.read(PIECE_BYTES):
        size += len(piece)
        if size > TEXT_BYTES:
            raise SourceRefused(f"this is not a playlist: it has more than {TEXT_BYTES >> 20} MB of text")
        data = rest + piece
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        rest = data[end:]
        if len(rest) > LINE_BYTES:
            raise SourceRefused("this is not a playlist: a line of it has no end; give the address of an M3U playlist")
        yield from data[:end].splitlines()
    yield from rest.splitlines()


def _decoded(line: bytes) -> str:
    """Decode one line by itself: playlists are often put together from files in different encodings."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")
