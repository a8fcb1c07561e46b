"""Decoding of compressed bodies that nobody asked for.

A probe accepts no content coding, and some servers compress playlists all the same, or announce a coding that they do
not apply. The first bytes decide: no media begins like a gzip file (RFC 1952, 2.3.1).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from streamflow.probing.judgement.refusal import dead

GZIP = b"\x1f\x8b\x08"
# At most this much is unpacked at once, so that a small body cannot become a large one in memory.
BLOCK_BYTES = 65_536


def decoded(body: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """Yield a body without its compression, in blocks of at most 64 KiB where it is compressed.

    :param coding: the ``Content-Encoding`` header; needed for "deflate" alone, which has no magic number.
    :raises Refusal: when the compressed data are damaged.
    """
    head = b""
    for chunk in body:
        head += chunk
        if len(head) >= len(GZIP):
            break
    if head.startswith(GZIP):
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
    elif coding.strip().lower() == "deflate" and head and head[0] & 0x0F == 8:
        unpack = zlib.decompressobj(zlib.MAX_WBITS)
    else:
        if head:
            yield head
        yield from body
        return
    yield from _unpacked(unpack, head)
    for chunk in body:
        yield from _unpacked(unpack, chunk)
    if rest := unpack.flush():
        yield rest


def _unpacked(unpack: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    while data and not unpack.eof:
        try:
            block = unpack.decompress(data, BLOCK_BYTES)
        except zlib.error:
            raise dead("not_media", "a compressed body that cannot be unpacked", retryable=False) from None
        data = unpack.unconsumed_tail
        if block:
            yield block
