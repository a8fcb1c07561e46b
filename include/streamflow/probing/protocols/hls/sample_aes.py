"""Decryption of transport stream segments whose samples are encrypted one by one (METHOD=SAMPLE-AES).

By Apple's "MPEG-2 Stream Encryption Format for HTTP Live Streaming". The program map names the encrypted tracks by
stream types of its own; tracks of any other type are clear, whatever the playlist says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from streamflow.probing.judgement.refusal import dead
from streamflow.probing.media.programs import PACKET, crc32_mpeg

# An access unit must be known in whole, so a segment is kept in memory.
MAX_SEGMENT_BYTES = 40_000_000
BLOCK = 16
# A slice keeps its first 32 bytes; then one block in ten is encrypted. Slices up to 48 bytes are clear.
SLICE_LEADER, SLICE_CLEAR, SLICE_STEP = 32, 48, 160
FRAME_LEADER = 16
_SLICES = (1, 5)
_START_CODE = re.compile(b"\x00\x00\x01")
_EMULATION = re.compile(b"\x00\x00\x03")
# The clear types of the encrypted ones.
_CLEAR_TYPES = {0xDB: 0x1B, 0xCF: 0x0F, 0xC1: 0x81, 0xC2: 0x87}
_PMT_TABLE = 0x02
# Kilobits a second by frmsizecod / 2 (ATSC A/52, table 5.18).
_AC3_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)

Unit = Callable[[bytearray, "_Blocks"], None]


def decrypted(body: Iterator[bytes], key: bytes, vector: bytes) -> Iterator[bytes]:
    """Yield a segment with clear samples, as long as the encrypted one.

    :raises Refusal: for an overlong segment.
    """
    segment = bytearray()
    for chunk in body:
        segment += chunk
        if len(segment) > MAX_SEGMENT_BYTES:
            raise dead("undecodable", f"an encrypted segment has more than {MAX_SEGMENT_BYTES // 1_000_000} MB")
    blocks = _Blocks(key, vector)
    if segment[:1] == b"\x47":
        _Segment(segment, blocks).decrypt()
    elif start := _sound_start(segment):
        # Sound without a container begins with an ID3 tag that holds its time.
        sound = segment[start:]
        _clear_frames(sound, blocks, _dolby if sound[0] == 0x0B else _adts)
        segment[start:] = sound
    yield bytes(segment)


def _sound_start(segment: bytearray) -> int:
    """Return where frames of sound begin behind an ID3 tag (ID3v2.4, 3.1); 0 without one."""
    if segment[:3] != b"ID3" or len(segment) < 12:
        return 0
    size = segment[6] << 21 | segment[7] << 14 | segment[8] << 7 | segment[9]
    return 10 + size if 10 + size < len(segment) else 0


class _Blocks:
    """AES-128 in CBC mode; the chain starts again with each slice and each frame of sound."""

    def __init__(self, key: bytes, vector: bytes) -> None:
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(vector))

    def clear(self, data: bytes) -> bytes:
        """Return whole blocks decrypted."""
        decryptor = self._cipher.decryptor()
        return decryptor.update(data) + decryptor.finalize()


class _Segment:
    """Decrypts the packets of one segment in place."""

    def __init__(self, data: bytearray, blocks: _Blocks) -> None:
        self._data = data
        self._blocks = blocks
        self._map_pids: set[int] = set()
        self._units: dict[int, Unit] = {}
        # The pieces of the elementary stream since the last start of a PES packet, by PID.
        self._pieces: dict[int, list[tuple[int, int]]] = {}

    def decrypt(self) -> None:
        data = self._data
        at = max(0, data.find(b"\x47"))
        while at + PACKET <= len(data):
            if data[at] != 0x47:
                at = data.find(b"\x47", at + 1)
                if at < 0:
                    break
                continue
            self._take(at)
            at += PACKET
        for pid in list(self._pieces):
            self._end(pid)

    def _take(self, at: int) -> None:
        data = self._data
        pid, is_start = (data[at + 1] & 0x1F) << 8 | data[at + 2], bool(data[at + 1] & 0x40)
        payload = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
        end = at + PACKET
        if not data[at + 3] & 0x10 or payload >= end:
            return
        if pid == 0 and is_start:
            self._take_programs(payload, end)
        elif pid in self._map_pids and is_start:
            self._take_map(payload + 1 + data[payload], end)
        elif pid in self._units:
            if is_start:
                self._end(pid)
                if data[payload : payload + 3] != b"\x00\x00\x01":
                    return
                payload += 9 + data[payload + 8]
                self._pieces[pid] = []
            if pid in self._pieces and payload < end:
                self._pieces[pid].append((payload, end))

    def _take_programs(self, payload: int, end: int) -> None:
        data = self._data
        start = payload + 1 + data[payload]
        last = min(end, start + 3 + ((data[start + 1] & 0x0F) << 8 | data[start + 2])) - 4
        for at in range(start + 8, last - 3, 4):
            if data[at] or data[at + 1]:
                self._map_pids.add((data[at + 2] & 0x1F) << 8 | data[at + 3])

    def _take_map(self, start: int, end: int) -> None:
        """Note the encrypted tracks of a program map, and announce them as clear ones."""
        data = self._data
        if start + 12 > end or data[start] != _PMT_TABLE:
            return
        last = start + 3 + ((data[start + 1] & 0x0F) << 8 | data[start + 2]) - 4
        if last + 4 > end:
            # A map in several packets is not rewritten.
            return
        at = start + 12 + ((data[start + 10] & 0x0F) << 8 | data[start + 11])
        while at + 5 <= last:
            kind, pid = data[at], (data[at + 1] & 0x1F) << 8 | data[at + 2]
            if kind in _CLEAR_TYPES:
                data[at] = _CLEAR_TYPES[kind]
                self._units[pid] = _UNITS[kind]
            at += 5 + ((data[at + 3] & 0x0F) << 8 | data[at + 4])
        data[last : last + 4] = crc32_mpeg(bytes(data[start:last])).to_bytes(4, "big")

    def _end(self, pid: int) -> None:
        """Decrypt the PES packet that has come to its end."""
        pieces = self._pieces.pop(pid, None)
        if not pieces:
            return
        stream = bytearray().join(self._data[start:end] for start, end in pieces)
        self._units[pid](stream, self._blocks)
        at = 0
        for start, end in pieces:
            self._data[start:end] = stream[at : at + end - start]
            at += end - start


def _clear_slices(stream: bytearray, blocks: _Blocks) -> None:
    """Decrypt the slices of H.264. What emulation prevention took up becomes zeros behind the slice."""
    starts = [match.end() for match in _START_CODE.finditer(stream)]
    for start, following in zip(starts, [*(start - 3 for start in starts[1:]), len(stream)], strict=True):
        unit = bytes(stream[start:following]).rstrip(b"\x00")
        if not unit or unit[0] & 0x1F not in _SLICES or len(unit) <= SLICE_CLEAR:
            continue
        plain = bytearray(_EMULATION.sub(b"\x00\x00", unit))
        places = [at for at in range(SLICE_LEADER, len(plain), SLICE_STEP) if len(plain) - at > BLOCK]
        clear = blocks.clear(b"".join(plain[at : at + BLOCK] for at in places))
        for number, at in enumerate(places):
            plain[at : at + BLOCK] = clear[number * BLOCK : (number + 1) * BLOCK]
        stream[start:following] = plain.ljust(following - start, b"\x00")


def _clear_frames(
    stream: bytearray, blocks: _Blocks, frame: Callable[[bytearray, int], tuple[int, int] | None]
) -> None:
    """Decrypt frames of sound; ``frame`` returns the sizes of a frame and of its header."""
    at = 0
    while found := frame(stream, at):
        size, header = found
        start = at + header + FRAME_LEADER
        count = max(0, min(at + size, len(stream)) - start) // BLOCK * BLOCK
        if count:
            stream[start : start + count] = blocks.clear(bytes(stream[start : start + count]))
        at += size


def _adts(stream: bytearray, at: int) -> tuple[int, int] | None:
    """Return the sizes of an AAC frame and of its header (ISO/IEC 13818-7, 6.2)."""
    if at + 7 > len(stream) or stream[at] != 0xFF or stream[at + 1] & 0xF0 != 0xF0:
        return None
    size = (stream[at + 3] & 0x03) << 11 | stream[at + 4] << 3 | stream[at + 5] >> 5
    return (size, 7 if stream[at + 1] & 0x01 else 9) if size >= 7 else None


def _dolby(stream: bytearray, at: int) -> tuple[int, int] | None:
    """Return the sizes of a frame of AC-3 or E-AC-3 and of its header, which is a part of the frame (ATSC A/52)."""
    if at + 6 > len(stream) or stream[at] != 0x0B or stream[at + 1] != 0x77:
        return None
    if stream[at + 5] >> 3 > 10:
        return 2 * (((stream[at + 2] & 0x07) << 8 | stream[at + 3]) + 1), 0
    rate_code, size_code = stream[at + 4] >> 6, stream[at + 4] & 0x3F
    if rate_code > 2 or size_code // 2 >= len(_AC3_RATES):
        return None
    kbps = _AC3_RATES[size_code // 2]
    words = (2 * kbps, 320 * kbps // 147 + (size_code & 1), 3 * kbps)[rate_code]
    return 2 * words, 0


_UNITS: dict[int, Unit] = {
    0xDB: _clear_slices,
    0xCF: lambda stream, blocks: _clear_frames(stream, blocks, _adts),
    0xC1: lambda stream, blocks: _clear_frames(stream, blocks, _dolby),
    0xC2: lambda stream, blocks: _clear_frames(stream, blocks, _dolby),
}
