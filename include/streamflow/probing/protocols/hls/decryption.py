"""Decryption of HLS segments that are encrypted as a whole (RFC 8216, 4.3.2.4 and 5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from streamflow.probing.judgement.refusal import dead

_BLOCK_BYTES = 16
# A packet of a transport stream, a box of a fragment, an ID3 tag, or a frame of sound.
_MEDIA = re.compile(rb"\x47|....(?:styp|moof|sidx|emsg|prft)|ID3|\xff[\xe0-\xff]|\x0b\x77", re.DOTALL)


def decrypted(body: Iterator[bytes], key: bytes, vector: bytes) -> Iterator[bytes]:
    """Yield a segment's bytes, decrypted by AES-128 in CBC mode, without their padding.

    Some packagers leave the padding out, and players do not miss it where media were decrypted.

    :raises Refusal: when the key or the segment does not have the size that the cipher needs, or does not fit.
    """
    if len(key) != _BLOCK_BYTES:
        raise dead("undecodable", "the key does not have the size that AES-128 needs")
    cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    start = held = b""
    for chunk in body:
        held += cipher.update(chunk)
        start = start or held[:_BLOCK_BYTES]
        # The last block may be padding.
        if len(held) > _BLOCK_BYTES:
            yield held[:-_BLOCK_BYTES]
            held = held[-_BLOCK_BYTES:]
    padded = padding.PKCS7(_BLOCK_BYTES * 8).unpadder()
    try:
        cipher.finalize()
        yield padded.update(held) + padded.finalize()
    except ValueError:
        if not _MEDIA.match(start):
            raise dead("undecodable", "a segment does not decrypt with its key") from None
        yield held


def vector(written: str | None, number: int) -> bytes:
    """Return the initialization vector: ``written`` in hexadecimal digits, or the segment's number.

    :raises Refusal: for anything else.
    """
    try:
        return (int(written, 16) if written else number).to_bytes(_BLOCK_BYTES, "big")
    except (ValueError, OverflowError):
        raise dead("undecodable", "the initialization vector of EXT-X-KEY is not a number of 128 bits") from None
