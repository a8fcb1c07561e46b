"""Encryption of transport streams sample by sample (METHOD=SAMPLE-AES), for tests of the decryption.

By Apple's "MPEG-2 Stream Encryption Format for HTTP Live Streaming". Works on the lab's clips: each PES packet holds
whole pictures, or whole frames of AAC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab import mpegts

PACKET, BLOCK = mpegts.PACKET, 16


def encrypt(data: bytes, key: bytes, vector: bytes) -> bytes:
    """Return a clip with encrypted pictures (H.264) and sound (AAC), and the stream types that announce them."""
    out = bytearray(data)
    for pid, kind in ((0x100, "video"), (0x110, "sound")):
        for pieces in pes_packets(out, pid):
            stream = b"".join(bytes(out[start:end]) for start, end in pieces)
            clear = _slices(stream, key, vector) if kind == "video" else encrypted_frames(stream, key, vector)
            at = 0
            for start, end in pieces:
                out[start:end] = clear[at : at + end - start]
                at += end - start
    for at in range(0, len(out), PACKET):
        if (out[at + 1] & 0x1F) << 8 | out[at + 2] == mpegts.PMT_PID:
            _announce(out, at + 5)
    return bytes(out)


def pes_packets(data: bytearray, pid: int) -> Iterator[list[tuple[int, int]]]:
    """Yield the places of the payload of each PES packet of a PID."""
    pieces: list[tuple[int, int]] = []
    for at in range(0, len(data), PACKET):
        if (data[at + 1] & 0x1F) << 8 | data[at + 2] != pid or not data[at + 3] & 0x10:
            continue
        start = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
        if data[at + 1] & 0x40:
            if pieces:
                yield pieces
            pieces, start = [], start + 9 + data[start + 8]
        if start < at + PACKET:
            pieces.append((start, at + PACKET))
    yield pieces


def _cbc(data: bytes, key: bytes, vector: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _slices(stream: bytes, key: bytes, vector: bytes) -> bytes:
    """Encrypt a block in ten of each slice; filler behind it gives way to emulation prevention."""
    parts = re.split(b"(\x00\x00\x01)", stream)
    grown = 0
    for number in range(2, len(parts), 2):
        unit = bytearray(parts[number].rstrip(b"\x00"))
        if unit[0] & 0x1F == 12:
            # The filler's length makes up for what the pictures before it have grown.
            if len(unit) > grown + 2:
                parts[number] = bytes(unit[:1]) + b"\xff" * (len(unit) - grown - 2) + b"\x80"
                grown = 0
            continue
        if unit[0] & 0x1F not in (1, 5) or len(unit) <= 48:
            continue
        places = [at for at in range(32, len(unit), 160) if len(unit) - at > BLOCK]
        hidden = _cbc(b"".join(unit[at : at + BLOCK] for at in places), key, vector)
        for index, at in enumerate(places):
            unit[at : at + BLOCK] = hidden[index * BLOCK : (index + 1) * BLOCK]
        protected = re.sub(b"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", bytes(unit))
        grown += len(protected) - len(parts[number].rstrip(b"\x00"))
        parts[number] = protected + parts[number][len(parts[number].rstrip(b"\x00")) :]
    whole = b"".join(parts)
    assert len(whole) == len(stream), "no filler makes up for the emulation prevention"
    return whole


def encrypted_frames(stream: bytes, key: bytes, vector: bytes) -> bytes:
    """Return frames of AAC, encrypted but for their headers and the first 16 bytes behind them."""
    out, at = bytearray(stream), 0
    while at < len(out):
        size = (out[at + 3] & 0x03) << 11 | out[at + 4] << 3 | out[at + 5] >> 5
        start = at + 7 + BLOCK
        count = (at + size - start) // BLOCK * BLOCK
        out[start : start + count] = _cbc(bytes(out[start : start + count]), key, vector)
        at += size
    return bytes(out)


def _announce(data: bytearray, start: int) -> None:
    last = start + 3 + ((data[start + 1] & 0x0F) << 8 | data[start + 2]) - 4
    at = start + 12 + ((data[start + 10] & 0x0F) << 8 | data[start + 11])
    while at < last:
        data[at] = {0x1B: 0xDB, 0x0F: 0xCF}[data[at]]
        at += 5 + ((data[at + 3] & 0x0F) << 8 | data[at + 4])
    data[last : last + 4] = mpegts.crc32(bytes(data[start:last])).to_bytes(4, "big")
