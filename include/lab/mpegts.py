"""A multiplexer for MPEG transport streams that can loop for ever (ISO/IEC 13818-1).

The number of packets of each PID is a multiple of 16, so that the 4-bit continuity counters stay continuous when the
clip starts again. The multiplexer returns the place of every time stamp, so that a server rewrites nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

PACKET = 188
CLOCK = 90_000
WRAP = 1 << 33
# Time stamps are this far ahead of the program clock, to fill the receiver's buffer.
AHEAD = CLOCK * 7 // 10
PSI_EVERY = CLOCK // 4

PAT_PID, SDT_PID, PMT_PID = 0x0000, 0x0011, 0x1000

# Stamp kinds: the 4-bit prefix of PTS alone, of PTS before DTS, of DTS; the program clock.
PTS_ONLY, PTS, DTS, PCR = 0x2, 0x3, 0x1, 0x0


@dataclass(frozen=True)
class Unit:
    """An access unit, or several units of audio, with times in ticks of 90 kHz."""

    pid: int
    pts: int
    dts: int
    data: bytes
    key: bool = False


@dataclass(frozen=True)
class Track:
    """An elementary stream as the program map lists it."""

    pid: int
    stream_type: int
    pes_id: int
    descriptors: bytes = b""


@dataclass
class Multiplex:
    """A finished stream with ``(offset, kind, ticks)`` of each stamp and ``(offset, ticks)`` of each entry point."""

    data: bytearray = field(default_factory=bytearray)
    stamps: list[tuple[int, int, int]] = field(default_factory=list)
    keys: list[tuple[int, int]] = field(default_factory=list)


def stamp_bytes(kind: int, ticks: int) -> bytes:
    """Return a time stamp in the form of a PES header (5 bytes) or an adaptation field (6 bytes)."""
    if kind == PCR:
        return ((ticks << 15) | 0x7E00).to_bytes(6, "big")
    return bytes(
        (
            kind << 4 | (ticks >> 29) & 0x0E | 1,
            (ticks >> 22) & 0xFF,
            (ticks >> 14) & 0xFE | 1,
            (ticks >> 7) & 0xFF,
            (ticks << 1) & 0xFE | 1,
        )
    )


def crc32(data: bytes) -> int:
    """Return the checksum of a section: polynomial 04C11DB7, not reflected, initial value all ones."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
            value &= 0xFFFFFFFF
    return value


def _section(table_id: int, table_extension: int, body: bytes) -> bytes:
    head = bytes((table_id,)) + (0xB000 | len(body) + 9).to_bytes(2, "big")
    whole = head + table_extension.to_bytes(2, "big") + b"\xc1\x00\x00" + body
    return whole + crc32(whole).to_bytes(4, "big")


def _tables(tracks: Sequence[Track], name: str) -> dict[int, bytes]:
    label = name.encode()
    service = b"\x48" + bytes((len(label) + 6, 0x01, 3)) + b"lab" + bytes((len(label),)) + label
    pmt = (0xE000 | tracks[0].pid).to_bytes(2, "big") + b"\xf0\x00"
    for track in tracks:
        pmt += bytes((track.stream_type,)) + (0xE000 | track.pid).to_bytes(2, "big")
        pmt += (0xF000 | len(track.descriptors)).to_bytes(2, "big") + track.descriptors
    sdt = b"\x00\x01\xff" + b"\x00\x01\xfc" + (0x8000 | len(service)).to_bytes(2, "big") + service
    return {
        PAT_PID: _section(0x00, 1, b"\x00\x01" + (0xE000 | PMT_PID).to_bytes(2, "big")),
        PMT_PID: _section(0x02, 1, pmt),
        SDT_PID: _section(0x42, 1, sdt),
    }


class Multiplexer:
    """Writes one program. :meth:`write` takes its units in the order of their decoding times."""

    def __init__(self, tracks: Sequence[Track], name: str) -> None:
        self.out = Multiplex()
        self._tracks = {track.pid: track for track in tracks}
        self._clock_pid = tracks[0].pid
        self._tables = _tables(tracks, name)
        self._counts = dict.fromkeys([*self._tables, *self._tracks], 0)

    def write(self, units: Iterable[Unit]) -> Multiplex:
        """Write the whole clip, and pad the packets of each PID to a multiple of 16."""
        units = list(units)
        last = {unit.pid: place for place, unit in enumerate(units)}
        tables_due = 0
        for place, unit in enumerate(units):
            if unit.key or unit.dts >= tables_due:
                if unit.key:
                    self.out.keys.append((len(self.out.data), unit.dts))
                for pid in self._tables:
                    self._table(pid)
                tables_due = unit.dts + PSI_EVERY
            self._unit(unit, closing=last[unit.pid] == place)
        for pid in self._tables:
            while self._counts[pid] % 16:
                self._table(pid)
        return self.out

    def _table(self, pid: int) -> None:
        section = b"\x00" + self._tables[pid]
        self._packet(pid, section.ljust(184, b"\xff"), b"", first=True)

    def _unit(self, unit: Unit, closing: bool) -> None:
        track = self._tracks[unit.pid]
        pts, dts = unit.pts + AHEAD, unit.dts + AHEAD
        times = [(PTS_ONLY, pts)] if pts == dts else [(PTS, pts), (DTS, dts)]
        length = len(unit.data) + 3 + 5 * len(times)
        header = b"\x00\x00\x01" + bytes((track.pes_id,))
        header += (0 if track.pes_id == 0xE0 else length).to_bytes(2, "big")
        header += bytes((0x84, 0x80 if len(times) == 1 else 0xC0, 5 * len(times)))
        stamps_at = len(header)
        payload = memoryview(header + b"".join(stamp_bytes(*time) for time in times) + unit.data)

        adaptation = b""
        if unit.pid == self._clock_pid:
            self.out.stamps.append((len(self.out.data) + 6, PCR, unit.dts))
            adaptation = bytes((0x50 if unit.key else 0x10,)) + stamp_bytes(PCR, unit.dts)
        room = 184 - (len(adaptation) + 1 if adaptation else 0)
        packets = 1 + max(0, -(-(len(payload) - room) // 184))
        if closing:
            packets += -(self._counts[unit.pid] + packets) % 16

        for packet in range(packets):
            share = min(room, -(-len(payload) // (packets - packet)) if closing else room, len(payload))
            if packet == 0:
                share = max(share, stamps_at + 5 * len(times))
            at = self._packet(unit.pid, payload[:share], adaptation, first=packet == 0)
            if packet == 0:
                for number, (kind, ticks) in enumerate(times):
                    self.out.stamps.append((at + stamps_at + 5 * number, kind, ticks))
            payload, adaptation, room = payload[share:], b"", 184
        if payload:
            raise ValueError(f"{len(payload)} bytes of a unit found no packet")

    def _packet(self, pid: int, payload: bytes | memoryview, adaptation: bytes, first: bool) -> int:
        """Append one packet and return the offset of its payload."""
        data = self.out.data
        spare = 184 - len(payload)
        control = 0x30 if spare else 0x10
        data += bytes((0x47, (0x40 if first else 0) | pid >> 8, pid & 0xFF, control | self._counts[pid] % 16))
        if spare:
            field_ = adaptation or (b"\x00" if spare > 1 else b"")
            data.append(spare - 1)
            data += field_.ljust(spare - 1, b"\xff")
        payload_at = len(data)
        data += payload
        self._counts[pid] += 1
        return payload_at


def lose(multiplex: Multiplex, every: int = 211) -> None:
    """Replace one in ``every`` continuation packets by a null packet, to simulate a line with losses."""
    data = multiplex.data
    for number in range(0, len(data) // PACKET, every):
        at = number * PACKET
        plain = not data[at + 1] & 0x40 and not data[at + 3] & 0x20
        if plain:
            data[at : at + PACKET] = b"\x47\x1f\xff\x10" + b"\xff" * 184


def scramble(multiplex: Multiplex) -> None:
    """Mark the payload of elementary streams as scrambled with the even key, and make it unreadable."""
    data = multiplex.data
    noise = random.Random(1).randbytes(PACKET)
    for at in range(0, len(data), PACKET):
        pid = (data[at + 1] & 0x1F) << 8 | data[at + 2]
        if pid in (PAT_PID, PMT_PID, SDT_PID):
            continue
        start = at + 5 + data[at + 4] if data[at + 3] & 0x20 else at + 4
        data[at + 3] |= 0x80
        for place in range(start, at + PACKET):
            data[place] ^= noise[place - at]
    multiplex.stamps = [stamp for stamp in multiplex.stamps if stamp[1] == PCR]


def patch(data: bytearray, stamps: Sequence[tuple[int, int, int]], start: int, shift: int) -> None:
    """Rewrite the time stamps in a piece of a clip to ticks + ``shift``.

    :param data: the piece.
    :param start: the offset of the piece in the clip.
    """
    for offset, kind, ticks in stamps:
        new = stamp_bytes(kind, (ticks + shift) % WRAP)
        data[offset - start : offset - start + len(new)] = new
