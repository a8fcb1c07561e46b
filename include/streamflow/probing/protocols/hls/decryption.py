"""Decryption of HLS segments that are encrypted as a whole (RFC 8216, 4.3.2.4 and 5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from streamflow.probing.judgement.refusal import Refusal, dead

_BLOCK_BYTES = 16
# Packets of a transport stream in a row, a box of a fragment, or at the start an ID3 tag or a frame of sound.
_MEDIA = re.compile(
    rb"(?:\x47.{187}){3}\x47|styp|moof|sidx|emsg|prft|mdat|\A(?:ID3|\xff[\xe0-\xff]|\x0b\x77)", re.DOTALL
)
# Media show within this many bytes; a segment that seems to be none is kept back until its padding shows that its key
# fits, but not more of it than this.
_START_BYTES = 65_536
_MAX_KEPT_BYTES = 16_000_000


def decrypted(body: Iterator[bytes], key: bytes, vector: bytes) -> Iterator[bytes]:
    """Yield a segment's bytes, decrypted by AES-128 in CBC mode, without their padding.

    Some packagers leave the padding out, and players do not miss it where media were decrypted. A wrong key makes noise
    of the segment, which a demuxer may take for media: nothing is yielded before media or the padding are recognized.

    :raises Refusal: when the key or the segment does not have the size that the cipher needs, or does not fit.
    """
    if len(key) != _BLOCK_BYTES:
        raise dead("undecodable", "the key does not have the size that AES-128 needs")
    cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    held, is_media = bytearray(), False
    for chunk in body:
        is_start = len(held) < _START_BYTES
        held += cipher.update(chunk)
        is_media = is_media or (is_start and bool(_MEDIA.search(held, 0, _START_BYTES)))
        if not is_media and len(held) > _MAX_KEPT_BYTES:
            raise _wrong_key()
        # The last block may be padding.
        if is_media and len(held) > _BLOCK_BYTES:
            yield bytes(held[:-_BLOCK_BYTES])
            del held[:-_BLOCK_BYTES]
    padded = padding.PKCS7(_BLOCK_BYTES * 8).unpadder()
    try:
        cipher.finalize()
        yield padded.update(bytes(held)) + padded.finalize()
    except ValueError:
        if not is_media:
            raise _wrong_key() from None
        yield bytes(held)


def _wrong_key() -> Refusal:
    return dead("undecodable", "the key does not fit: a segment that is decrypted with it is no media")


def vector(written: str | None, number: int) -> bytes:
    """Return the initialization vector: ``written`` in hexadecimal digits, or the segment's number.

    :raises Refusal: for anything else.
    """
    try:
        return (int(written, 16) if written else number).to_bytes(_BLOCK_BYTES, "big")
    except (ValueError, OverflowError):
        raise dead("undecodable", "the initialization vector of EXT-X-KEY is not a number of 128 bits") from None
