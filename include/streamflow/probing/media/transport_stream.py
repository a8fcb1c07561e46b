"""The packet headers of an MPEG transport stream: lost packets, scrambling, tables (ISO/IEC 13818-1, 2.4.3)."""

from __future__ import annotations

import sys
from typing import NamedTuple

from streamflow.probing.media.programs import PACKET, Programs

_NULL_PID = 0x1FFF
# Tables (PSI and SI) are never scrambled and repeat at will.
_FIRST_PAYLOAD_PID = 0x20
# The number of packets, and the share of them, from which on a scrambled stream is taken to stay scrambled.
_SCRAMBLED_PACKETS = 500
_SCRAMBLED_SHARE = 0.9

# Tables for bytes.translate: a loop in Python over all packets would be the largest part of the probe's work.
_PID_BITS = bytes(value & 0x1F for value in range(256))
_COUNTER = bytes(value & 0x0F for value in range(256))
_WITHOUT_PAYLOAD = bytes(value for value in range(256) if not value & 0x10)
_SCRAMBLED = bytes(value for value in range(256) if value & 0x80)
_CYCLE = bytes(range(16))
# For each value of a byte: all bits set where it stands, none elsewhere.
_ONLY = [bytes(0xFF if value == only else 0 for value in range(256)) for only in range(256)]


def is_transport_stream(head: bytes) -> bool:
    """Return whether sync bytes stand one packet apart, from wherever the first of them is."""
    for start in range(min(PACKET, len(head))):
        if head[start] == 0x47:
            marks = head[start::PACKET]
            if len(marks) >= 3 and marks.count(0x47) == len(marks):
                return True
    return False


class ProgramChange(NamedTuple):
    """A place in a chunk from which on other tracks are sent, and the tables that announce them."""

    offset: int
    tables: bytes


class PacketHeaders:
    """Reads the headers of all packets in chunks of any size; about a millisecond for a megabyte.

    ``continuity_errors`` counts gaps in the counters of packets with payload, ``scrambled`` those packets of
    elementary streams whose payload is encrypted, ``changes`` the program changes of the last chunk.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.continuity_errors = 0
        self.scrambled = 0
        self.lost_sync = 0
        self.programs = Programs()
        self.changes: list[ProgramChange] = []
        #: Offsets in the stream at which counters may restart: the borders of segments, in order.
        self.restarts: list[int] = []
        self._restart = 0
        self._taken = 0
        self._rest = b""
        self._last: dict[int, int | None] = {}

    @property
    def scrambled_share(self) -> float:
        """The share of the elementary streams' packets that are scrambled."""
        return self.scrambled / self.packets if self.packets else 0.0

    @property
    def is_scrambled(self) -> bool:
        """Whether enough packets are scrambled to call the whole stream scrambled."""
        return self.packets >= _SCRAMBLED_PACKETS and self.scrambled_share > _SCRAMBLED_SHARE

    def has_packets(self, pid: int) -> bool:
        """Return whether a packet with payload of this PID has come."""
        return pid in self._last

    def take(self, chunk: bytes) -> None:
        """Read the next chunk of the stream."""
        self.changes = []
        start = 0
        while self._restart < len(self.restarts) and self.restarts[self._restart] < self._taken + len(chunk):
            border = max(start, self.restarts[self._restart] - self._taken)
            self._restart += 1
            self._take_part(chunk[start:border], start)
            start, self._rest, self._last = border, b"", dict.fromkeys(self._last)
        self._take_part(chunk[start:] if start else chunk, start)
        self._taken += len(chunk)

    def _take_part(self, chunk: bytes, offset: int) -> None:
        """Read a part of a chunk that begins at ``offset`` and lies within one segment."""
        start = 0
        if self._rest:
            # The packet that two chunks share is put together alone: nothing larger is copied.
            start = PACKET - len(self._rest)
            shared, self._rest = self._rest + chunk[:start], b""
            if len(shared) < PACKET:
                self._rest = shared
                return
            self._take_whole(shared, 0, PACKET, offset + start - PACKET)
        if chunk[start : start + 1] != b"\x47":
            start = self._sync(chunk, start)
        end = start + (len(chunk) - start) // PACKET * PACKET
        if self._take_whole(chunk, start, end, offset + start):
            self._rest = chunk[end:]

    @staticmethod
    def _sync(data: bytes, start: int) -> int:
        """Return where packets begin again; the end of the data where they do not."""
        for at in range(start, min(start + PACKET, len(data))):
            if data[at] == 0x47 and (at + PACKET >= len(data) or data[at + PACKET] == 0x47):
                return at
        return len(data)

    def _take_whole(self, data: bytes, start: int, end: int, offset: int) -> bool:
        """Read whole packets, the first at ``offset`` of the chunk; return False where they are none."""
        if data[start:end:PACKET].count(0x47) * PACKET != end - start:
            self.lost_sync += 1
            return False
        high = data[start + 1 : end : PACKET].translate(_PID_BITS)
        low = data[start + 2 : end : PACKET]
        names = bytearray(2 * len(low))
        names[::2], names[1::2] = high, low
        self._read_tables(data, start, names, offset)
        self._read_counters(data[start + 3 : end : PACKET], high, low, names)
        return True

    def _read_tables(self, data: bytes, start: int, names: bytearray, offset: int) -> None:
        after = 0
        while (table := self._next_table(names, after)) is not None:
            index, pid = table
            at, after = start + index * PACKET, index + 1
            self.programs.take(pid, data[at : at + PACKET], index)
            if self.programs.changed is not None:
                self.programs.changed = None
                self.changes.append(ProgramChange(offset + after * PACKET, self.programs.tables))

    def _next_table(self, names: bytearray, first: int) -> tuple[int, int] | None:
        """Return index and PID of the next packet that carries a table."""
        tables = ((_index_of(names, pid, first), pid) for pid in self.programs.pids)
        return min(((index, pid) for index, pid in tables if index is not None), default=None)

    def _read_counters(self, flags: bytes, high: bytes, low: bytes, names: bytearray) -> None:
        bits = int.from_bytes(flags)
        for name in set(memoryview(names).cast("H")):
            pid = _pid_of(name)
            if pid == _NULL_PID:
                continue
            # All packets at once: those of other PIDs become zero, and without payload the counter stands still.
            ours = int.from_bytes(high.translate(_ONLY[pid >> 8])) & int.from_bytes(low.translate(_ONLY[pid & 0xFF]))
            with_payload = (bits & ours).to_bytes(len(low)).translate(None, _WITHOUT_PAYLOAD)
            if with_payload:
                self._count(pid, with_payload)

    def _count(self, pid: int, flags: bytes) -> None:
        """Note the flags and counters of a PID's packets with payload."""
        before = self._last.get(pid)
        self._last[pid] = flags[-1] & 0x0F
        if pid < _FIRST_PAYLOAD_PID:
            return
        self.packets += len(flags)
        self.scrambled += len(flags) - len(flags.translate(None, _SCRAMBLED))
        counters = flags.translate(_COUNTER)
        first = counters[0] if before is None else (before + 1) & 0x0F
        if counters == (_CYCLE * (len(counters) // 16 + 2))[first : first + len(counters)]:
            return
        for counter in counters:
            # The same counter again is a packet sent twice, which is legal; a flagged discontinuity is rare enough.
            self.continuity_errors += before is not None and counter not in (before, (before + 1) & 0x0F)
            before = counter


def _index_of(names: bytearray, pid: int, first: int) -> int | None:
    """Return the index of the first packet of a PID from ``first`` on."""
    at = names.find(pid.to_bytes(2), 2 * first)
    while at % 2 and at >= 0:
        at = names.find(pid.to_bytes(2), at + 1)
    return at // 2 if at >= 0 else None


def _pid_of(name: int) -> int:
    """Return the PID of two bytes as they stand in the packet, read in the machine's order."""
    return int.from_bytes(name.to_bytes(2, sys.byteorder), "big")
