"""Decryption of HLS segments that are encrypted as a whole (RFC 8216, 4.3.2.4 and 5.2)."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from streamflow.probing.judgement.refusal import dead

_BLOCK_BYTES = 16


def decrypted(body: Iterator[bytes], key: bytes, vector: bytes) -> Iterator[bytes]:
    """Yield a segment's bytes, decrypted by AES-128 in CBC mode, without their padding.

    :raises Refusal: when the key or the segment does not have the size that the cipher needs, or does not fit.
    """
    if len(key) != _BLOCK_BYTES:
        raise dead("undecodable", "the key does not have the size that AES-128 needs")
    cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    padded = padding.PKCS7(_BLOCK_BYTES * 8).unpadder()
    for chunk in body:
        if plain := padded.update(cipher.update(chunk)):
            yield plain
    try:
        yield padded.update(cipher.finalize()) + padded.finalize()
    except ValueError:
        raise dead("undecodable", "a segment does not decrypt with its key") from None


def vector(written: str | None, number: int) -> bytes:
    """Return the initialization vector: ``written`` in hexadecimal digits, or the segment's number.

    :raises Refusal: for anything else.
    """
    try:
        return (int(written, 16) if written else number).to_bytes(_BLOCK_BYTES, "big")
    except (ValueError, OverflowError):
        raise dead("undecodable", "the initialization vector of EXT-X-KEY is not a number of 128 bits") from None
