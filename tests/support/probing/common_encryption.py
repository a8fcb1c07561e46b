"""Common encryption by pattern (``cbcs``), which libav's muxer does not write, made from its encryption by counter.

By ISO/IEC 23001-7: 8.2 (the track encryption box), 9.2 (counter), 9.6 (pattern), 10.4 (``cbcs``).
"""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK, IV_BYTES = 16, 8
# One block in ten is encrypted.
PATTERN = 0x19


def as_cbcs(init: bytes, parts: list[bytes], key: bytes) -> tuple[bytes, list[bytes]]:
    """Return a fragmented file that is encrypted by counter (``cenc``), encrypted by pattern in its place.

    :param init: its initialization segment.
    """
    begin = bytearray(init.replace(b"cenc", b"cbcs"))
    tenc = begin.index(b"tenc") + 4
    begin[tenc], begin[tenc + 5] = 1, PATTERN
    return bytes(begin), [_part(bytearray(part), key) for part in parts]


def _part(part: bytearray, key: bytes) -> bytes:
    at = part.index(b"senc") + 8
    media = part.index(b"mdat", int.from_bytes(part[:4])) + 4
    samples = int.from_bytes(part[at : at + 4])
    at += 4
    for _ in range(samples):
        vector = bytes(part[at : at + IV_BYTES]).ljust(BLOCK, b"\0")
        (count,) = struct.unpack_from(">H", part, at + IV_BYTES)
        at += IV_BYTES + 2
        counter = Cipher(algorithms.AES(key), modes.CTR(vector)).decryptor()
        for clear, hidden in struct.iter_unpack(">HI", bytes(part[at : at + 6 * count])):
            start = media + clear
            plain = bytearray(counter.update(bytes(part[start : start + hidden])))
            part[start : start + hidden] = _by_pattern(plain, key, vector)
            media = start + hidden
        at += 6 * count
    return bytes(part)


def _by_pattern(plain: bytearray, key: bytes, vector: bytes) -> bytes:
    chain = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    for at in range(0, len(plain) - BLOCK + 1, 10 * BLOCK):
        plain[at : at + BLOCK] = chain.update(bytes(plain[at : at + BLOCK]))
    return bytes(plain)
