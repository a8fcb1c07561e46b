"""Transport streams of the lab with other tables, other bytes in a track, or packets of a further track."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.mpegts import PACKET, PMT_PID, Track, _tables

VIDEO, SOUND, PRIVATE = 0x100, 0x110, 0x130
H264 = Track(VIDEO, 0x1B, 0xE0)
AAC = Track(SOUND, 0x0F, 0xC0)
SCRAMBLED = 0x80


def pid_of(data: bytes, at: int) -> int:
    """Return the PID of the packet at an offset."""
    return (data[at + 1] & 0x1F) << 8 | data[at + 2]


def each(data: bytes, pid: int, change: Callable[[bytearray, int], None]) -> bytes:
    """Return the stream after ``change`` was called with the data and the offset of each packet of a PID."""
    made = bytearray(data)
    for at in range(0, len(made), PACKET):
        if pid_of(made, at) == pid:
            change(made, at)
    return bytes(made)


def with_tables(data: bytes, tracks: Sequence[Track]) -> bytes:
    """Return the stream with another program map."""
    table = (b"\0" + _tables(list(tracks), "made")[PMT_PID]).ljust(PACKET - 4, b"\xff")

    def replace(made: bytearray, at: int) -> None:
        made[at + 4 : at + PACKET] = table
        made[at + 3] = made[at + 3] & 0x0F | 0x10

    return each(data, PMT_PID, replace)


def refilled(data: bytes, pid: int, filling: bytes) -> bytes:
    """Return the stream with other bytes in place of a track's payload; its PES headers stay."""

    def refill(made: bytearray, at: int) -> None:
        if not made[at + 3] & 0x10:
            return
        start = at + 4 + (1 + made[at + 4] if made[at + 3] & 0x20 else 0)
        if made[at + 1] & 0x40 and made[start : start + 3] == b"\0\0\1":
            start += 9 + made[start + 8]
        size = max(0, at + PACKET - start)
        made[start : start + size] = (filling * PACKET)[:size]

    return each(data, pid, refill)


def scrambled(data: bytes, pid: int) -> bytes:
    """Return the stream with the packets of a track marked as encrypted."""

    def mark(made: bytearray, at: int) -> None:
        made[at + 3] |= SCRAMBLED

    return each(refilled(data, pid, b"\x5a\xc3"), pid, mark)


def moved(data: bytes, pids: dict[int, int]) -> bytes:
    """Return the stream with other PIDs in the packets of its tracks."""
    made = bytearray(data)
    for at in range(0, len(made), PACKET):
        if (pid := pids.get(pid_of(made, at))) is not None:
            made[at + 1 : at + 3] = ((made[at + 1] & 0xE0) << 8 | pid).to_bytes(2, "big")
    return bytes(made)


def with_private_data(data: bytes, pid: int, every: int) -> bytes:
    """Return the stream with a packet of private data after every ``every`` packets."""
    body = (b"\0\0\1\xbd\0\0\x80\0\0" + b"\x5a\x13" * 90)[: PACKET - 4]
    made, counter = bytearray(), 0
    for number, at in enumerate(range(0, len(data), PACKET)):
        made += data[at : at + PACKET]
        if number % every == 0:
            made += bytes((0x47, 0x40 | pid >> 8, pid & 0xFF, 0x10 | counter)) + body
            counter = counter + 1 & 0x0F
    return bytes(made)
