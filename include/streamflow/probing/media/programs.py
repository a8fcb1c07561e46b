"""The programs of a transport stream, from its tables (ISO/IEC 13818-1, 2.4.4): which streams belong together.

Descriptors say what some of them are: Dolby Vision ("Dolby Vision Streams within the MPEG-2 Transport Stream Format"),
teletext (ETSI EN 300 468, 6.1).
"""

from __future__ import annotations

from collections.abc import Iterator

PACKET = 188
_PAT_PID = 0
_PAT_TABLE, _PMT_TABLE = 0x00, 0x02
# The tables come every tenth of a second; a stream of 40 Mbit/s has sent them twice by then.
MAX_BYTES = 1_000_000
MAX_PROGRAMS = 64
_HEAD, _CRC = 8, 4
DOLBY_VISION, TELETEXT = 0xB0, 0x56


class Programs:
    """Reads whole packets until each program's table has been seen; ``streams`` holds the PIDs of each program.

    ``tags`` holds the tags of each PID's descriptors.
    """

    def __init__(self) -> None:
        self.streams: dict[int, frozenset[int]] = {}
        self.tags: dict[int, frozenset[int]] = {}
        self._tables = {_PAT_PID: 0}
        self._sections: dict[int, bytes] = {}
        self._left = MAX_BYTES

    def of(self, pid: int) -> frozenset[int] | None:
        """The PIDs that a stream shares its program with; None where the tables tell of no other program."""
        if len(self.streams) < 2:
            return None
        return next((pids for pids in self.streams.values() if pid in pids), None)

    def says(self, pid: int, tag: int) -> bool:
        """Whether one of the stream's descriptors has the tag."""
        return tag in self.tags.get(pid, ())

    def take(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        """PictureStatistics for tables in the whole packets of a part of ``data``."""
        if self._left <= 0:
            return
        packets = range(start, len(data) if end is None else end, PACKET)
        self._left -= len(packets) * PACKET
        for at in packets:
            pid = (data[at + 1] & 0x1F) << 8 | data[at + 2]
            if pid in self._tables:
                self._take_part(pid, data[at : at + PACKET])
        if len(self._tables) > 1 and len(self.streams) == len(self._tables) - 1:
            self._left = 0

    def _take_part(self, pid: int, packet: bytes) -> None:
        payload = packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]
        if packet[1] & 0x40 and payload:
            section = payload[1 + payload[0] :]
        elif pid in self._sections:
            section = self._sections[pid] + payload
        else:
            return
        length = 3 + ((section[1] & 0x0F) << 8 | section[2]) if len(section) > _HEAD else PACKET
        if len(section) < length:
            self._sections[pid] = section
            return
        self._sections.pop(pid, None)
        if length > _HEAD + _CRC:
            self._read(section[0], section[: length - _CRC])

    def _read(self, table: int, section: bytes) -> None:
        if table == _PAT_TABLE:
            for at in range(_HEAD, len(section) - 3, 4):
                number = section[at] << 8 | section[at + 1]
                if number and len(self._tables) <= MAX_PROGRAMS:
                    self._tables[_pid(section, at + 2)] = number
        elif table == _PMT_TABLE and len(section) >= _HEAD + 4:
            found, at = set(), _HEAD + 4 + _length(section, _HEAD + 2)
            while at + 5 <= len(section):
                pid, end = _pid(section, at + 1), at + 5 + _length(section, at + 3)
                found.add(pid)
                self.tags[pid] = frozenset(_tags(section[at + 5 : end]))
                at = end
            self.streams[section[3] << 8 | section[4]] = frozenset(found)


def _tags(descriptors: bytes) -> Iterator[int]:
    at = 0
    while at + 2 <= len(descriptors):
        yield descriptors[at]
        at += 2 + descriptors[at + 1]


def _pid(section: bytes, at: int) -> int:
    return (section[at] & 0x1F) << 8 | section[at + 1]


def _length(section: bytes, at: int) -> int:
    return (section[at] & 0x0F) << 8 | section[at + 1]
