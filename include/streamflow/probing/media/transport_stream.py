"""What an MPEG transport stream's packet headers tell: lost packets and scrambling (ISO/IEC 13818-1, 2.4.3)."""

from __future__ import annotations

import sys

from streamflow.probing.media.programs import PACKET, Programs

_NULL_PID = 0x1FFF
# PSI and SI tables are never scrambled and repeat at will.
_FIRST_PAYLOAD_PID = 0x20
# So many packets, nearly all of them scrambled, will not be followed by others.
_TELLING_PACKETS = 500
_TELLING_SHARE = 0.9

# Tables for bytes.translate: a loop in Python over all packets would be the largest part of the probe's work.
_PID_BITS = bytes(value & 0x1F for value in range(256))
_COUNTER = bytes(value & 0x0F for value in range(256))
_WITHOUT_PAYLOAD = bytes(value for value in range(256) if not value & 0x10)
_SCRAMBLED = bytes(value for value in range(256) if value & 0x80)
_CYCLE = bytes(range(16))
# For each value of a byte: all bits where it stands, none elsewhere.
_ONLY = [bytes(0xFF if value == only else 0 for value in range(256)) for only in range(256)]


def is_transport_stream(head: bytes) -> bool:
    """Whether sync bytes stand a packet apart, from wherever the first of them is."""
    for start in range(min(PACKET, len(head))):
        if head[start] == 0x47:
            marks = head[start::PACKET]
            if len(marks) >= 3 and marks.count(0x47) == len(marks):
                return True
    return False


class PacketHeaders:
    """Reads the headers of all packets in chunks of any size; about a millisecond for a megabyte.

    ``continuity_errors`` counts gaps in the counters of packets with payload, ``scrambled`` those packets of
    elementary streams whose payload is encrypted.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.continuity_errors = 0
        self.scrambled = 0
        self.lost_sync = 0
        self.programs = Programs()
        self._rest = b""
        self._last: dict[int, int] = {}

    @property
    def scrambled_share(self) -> float:
        return self.scrambled / self.packets if self.packets else 0.0

    @property
    def is_scrambled(self) -> bool:
        """Whether enough is known to say that the whole stream is."""
        return self.packets >= _TELLING_PACKETS and self.scrambled_share > _TELLING_SHARE

    def take(self, chunk: bytes) -> None:
        start = 0
        if self._rest:
            # The packet that two chunks share is put together by itself: nothing larger is copied.
            start = PACKET - len(self._rest)
            shared, self._rest = self._rest + chunk[:start], b""
            if len(shared) < PACKET:
                self._rest = shared
                return
            self._take_whole(shared, 0, PACKET)
        if chunk[start : start + 1] != b"\x47":
            start = self._sync(chunk, start)
        end = start + (len(chunk) - start) // PACKET * PACKET
        if self._take_whole(chunk, start, end):
            self._rest = chunk[end:]

    @staticmethod
    def _sync(data: bytes, start: int) -> int:
        """Where packets begin again; the end of the data where they don't."""
        for at in range(start, min(start + PACKET, len(data))):
            if data[at] == 0x47 and (at + PACKET >= len(data) or data[at + PACKET] == 0x47):
                return at
        return len(data)

    def _take_whole(self, data: bytes, start: int, end: int) -> bool:
        """Read whole packets; False where they are none."""
        if data[start:end:PACKET].count(0x47) * PACKET != end - start:
            self.lost_sync += 1
            return False
        self.programs.take(data, start, end)
        self._read(data, start, end)
        return True

    def _read(self, data: bytes, start: int, end: int) -> None:
        high = data[start + 1 : end : PACKET].translate(_PID_BITS)
        low = data[start + 2 : end : PACKET]
        flags = int.from_bytes(data[start + 3 : end : PACKET])
        names = bytearray(2 * len(low))
        names[::2], names[1::2] = high, low
        for name in set(memoryview(names).cast("H")):
            pid = _pid_of(name)
            if pid == _NULL_PID:
                continue
            # All packets at once: those of other PIDs become zero, and without payload the counter stands still.
            ours = int.from_bytes(high.translate(_ONLY[pid >> 8])) & int.from_bytes(low.translate(_ONLY[pid & 0xFF]))
            told = (flags & ours).to_bytes(len(low)).translate(None, _WITHOUT_PAYLOAD)
            if told:
                self._count(pid, told)

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


def _pid_of(name: int) -> int:
    """The PID of two bytes as they stand in the packet, read in the machine's order."""
    return int.from_bytes(name.to_bytes(2, sys.byteorder), "big")
