"""The programs of a transport stream, from its tables (ISO/IEC 13818-1, 2.4.4): which tracks belong together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PACKET = 188
_PAT_PID = 0
_PAT_TABLE, _PMT_TABLE = 0x00, 0x02
MAX_PROGRAMS = 64
_HEAD, _CRC, _CURRENT = 8, 4, 0x01
# Descriptor tags: "Dolby Vision Streams within the MPEG-2 Transport Stream Format"; ETSI EN 300 468, 6.1.
DOLBY_VISION, TELETEXT = 0xB0, 0x56
_REGISTRATION, _DVB_EXTENSION = 0x05, 0x7F
# Stream types (ISO/IEC 13818-1, table 2-34; GY/T 257 and T/AVS for the AVS family; ATSC A/52, A/107 for DTS).
_VIDEO_TYPES = frozenset({0x01, 0x02, 0x10, 0x1B, 0x1E, 0x1F, 0x20, 0x21, 0x24, 0x25, 0x32, 0x33, 0x35, 0x42,
                          0xD1, 0xD2, 0xD4, 0xDB, 0xEA})  # fmt: skip
# H.264 whose slices are encrypted (Apple, "MPEG-2 Stream Encryption Format for HTTP Live Streaming").
_ENCRYPTED_VIDEO_TYPE = 0xDB
_AUDIO_TYPES = frozenset({0x03, 0x04, 0x0F, 0x11, 0x1C, 0x2D, 0x2E, 0x81, 0x82, 0x83, 0x84, 0x85, 0x87, 0x8A, 0xC1,
                          0xCF, 0xD3, 0xD5})  # fmt: skip
_TYPE_NAMES = {
    0x01: "mpeg1video", 0x02: "mpeg2video", 0x03: "mp1", 0x04: "mp2", 0x0F: "aac", 0x10: "mpeg4", 0x11: "aac_latm",
    0x1B: "h264", 0x21: "jpeg2000", 0x24: "hevc", 0x2D: "mpegh_3d_audio", 0x2E: "mpegh_3d_audio", 0x33: "vvc",
    0x35: "evc", 0x36: "lcevc", 0x42: "cavs", 0x81: "ac3", 0x82: "dts", 0x85: "dts_hd", 0x87: "eac3", 0x8A: "dts",
    0xD1: "dirac", 0xD2: "avs2", 0xD3: "avs_audio", 0xD4: "avs3", 0xD5: "av3a", 0xEA: "vc1",
}  # fmt: skip
_REGISTERED_NAMES = {
    b"AC-3": "ac3", b"EAC3": "eac3", b"AC-4": "ac4", b"DTS1": "dts", b"DTS2": "dts", b"DTS3": "dts", b"DTSX": "dts_x",
    b"HEVC": "hevc", b"VVC ": "vvc", b"EVC ": "evc", b"AV01": "av1", b"AVSV": "avs2", b"AVS3": "avs3",
    b"AVSA": "avs_audio", b"AV3A": "av3a", b"Opus": "opus", b"mhm1": "mpegh_3d_audio", b"VC-1": "vc1",
}  # fmt: skip
# Tags inside the DVB extension descriptor (ETSI EN 300 468, 6.4).
_EXTENSION_NAMES = {0x0E: "dts_hd", 0x0F: "dts_neural", 0x15: "ac4", 0x19: "dts_uhd", 0x21: "dts_uhd"}
_TAG_NAMES = {0x6A: "ac3", 0x7A: "eac3", 0x7B: "dts", 0x7C: "aac"}
_SOUND_NAMES = frozenset({"ac3", "eac3", "ac4", "dts", "dts_x", "dts_hd", "dts_uhd", "dts_neural", "opus", "aac",
                          "avs_audio", "av3a", "mpegh_3d_audio"})  # fmt: skip


@dataclass(frozen=True)
class Track:
    """An elementary stream as its program's map announces it."""

    pid: int
    stream_type: int
    tags: frozenset[int] = frozenset()
    codec: str | None = None

    @property
    def is_video(self) -> bool:
        """Whether it is announced as video."""
        return self.stream_type in _VIDEO_TYPES

    @property
    def is_encrypted_video(self) -> bool:
        """Whether it is announced as video whose pictures are encrypted."""
        return self.stream_type == _ENCRYPTED_VIDEO_TYPE

    @property
    def is_audio(self) -> bool:
        """Whether it is announced as sound."""
        return self.stream_type in _AUDIO_TYPES or self.codec in _SOUND_NAMES

    @property
    def is_private(self) -> bool:
        """Whether it is private data without a hint at its content."""
        return self.stream_type == 0x06 and self.codec is None and not self.tags


class Programs:
    """Reads the tables of a transport stream for as long as it lasts.

    ``tracks`` holds the announced tracks by program number. ``changed`` is the index of the packet, within the last
    call of :meth:`take`, after which the video or the sound of a known program was announced differently; None if no
    program changed. ``tables`` holds the packets that announce the programs now in force.
    """

    def __init__(self) -> None:
        self.tracks: dict[int, tuple[Track, ...]] = {}
        self.changed: int | None = None
        self._tables = {_PAT_PID: 0}
        self._sections: dict[int, bytes] = {}
        self._read_sections: dict[int, bytes] = {}
        self._pending: dict[int, bytes] = {}
        self._packets: dict[int, bytes] = {}

    @property
    def pids(self) -> tuple[int, ...]:
        """The PIDs that carry tables."""
        return tuple(self._tables)

    @property
    def tables(self) -> bytes:
        """The packets of the tables in force, for a demuxer that starts in the middle."""
        return b"".join(self._packets[pid] for pid in self._tables if pid in self._packets)

    @property
    def is_complete(self) -> bool:
        """Whether the map of each announced program has been read."""
        return len(self._tables) > 1 and len(self.tracks) >= len(self._tables) - 1

    def track(self, pid: int) -> Track | None:
        """Return the track with a PID; None where no table announces it."""
        return next((track for tracks in self.tracks.values() for track in tracks if track.pid == pid), None)

    def of(self, pid: int) -> frozenset[int] | None:
        """Return the PIDs of the program that holds ``pid``; None where there is only one program."""
        if len(self.tracks) < 2:
            return None
        pids = (frozenset(track.pid for track in tracks) for tracks in self.tracks.values())
        return next((program for program in pids if pid in program), None)

    def has_tag(self, pid: int, tag: int) -> bool:
        """Return whether one of the track's descriptors has the tag."""
        track = self.track(pid)
        return track is not None and tag in track.tags

    @property
    def is_encrypted(self) -> bool:
        """Whether video is announced, and all of it is encrypted sample by sample."""
        videos = [track for tracks in self.tracks.values() for track in tracks if track.is_video]
        return bool(videos) and all(track.is_encrypted_video for track in videos)

    def take(self, pid: int, packet: bytes, index: int = 0) -> None:
        """Read a packet of a table.

        :param index: the packet's place among those of the same chunk.
        """
        payload = packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]
        if packet[1] & 0x40 and payload:
            section = payload[1 + payload[0] :]
            self._pending[pid] = packet
        elif pid in self._sections:
            section = self._sections[pid] + payload
            self._pending[pid] += packet
        else:
            return
        length = 3 + ((section[1] & 0x0F) << 8 | section[2]) if len(section) > _HEAD else PACKET
        if len(section) < length:
            self._sections[pid] = section
            return
        self._sections.pop(pid, None)
        section = section[:length]
        if length > _HEAD + _CRC and self._read_sections.get(pid) != section:
            self._read(pid, section, index)
            self._read_sections[pid] = section
            self._packets[pid] = self._pending[pid]

    def _read(self, pid: int, section: bytes, index: int) -> None:
        table, body = section[0], section[:-_CRC]
        if table == _PAT_TABLE and pid == _PAT_PID:
            for at in range(_HEAD, len(body) - 3, 4):
                number = body[at] << 8 | body[at + 1]
                if number:
                    self._announce(number, _pid(body, at + 2))
        elif table == _PMT_TABLE and len(body) >= _HEAD + 4 and body[5] & _CURRENT:
            number, tracks = body[3] << 8 | body[4], tuple(_tracks(body))
            before = self.tracks.get(number)
            if before is None:
                self.tracks[number] = tracks
            elif crc32_mpeg(section) == 0:
                # Bit errors change tables too; only a section with a right checksum changes a program.
                self.tracks[number] = tracks
                if _pictured(before) != _pictured(tracks):
                    self.changed = index

    def _announce(self, number: int, pid: int) -> None:
        stale = [old for old, program in self._tables.items() if program == number and old not in (_PAT_PID, pid)]
        for old in stale:
            del self._tables[old]
        if len(self._tables) <= MAX_PROGRAMS:
            self._tables[pid] = number


def _pictured(tracks: tuple[Track, ...]) -> set[tuple[int, int]]:
    """Return PID and type of what can be seen and heard."""
    return {(track.pid, track.stream_type) for track in tracks if track.is_video or track.is_audio}


def _tracks(section: bytes) -> Iterator[Track]:
    at = _HEAD + 4 + _length(section, _HEAD + 2)
    while at + 5 <= len(section):
        end = at + 5 + _length(section, at + 3)
        described = dict(_descriptors(section[at + 5 : end]))
        yield Track(_pid(section, at + 1), section[at], frozenset(described), _codec(section[at], described))
        at = end


def _descriptors(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 <= len(data):
        end = at + 2 + data[at + 1]
        yield data[at], data[at + 2 : end]
        at = end


def _codec(stream_type: int, described: dict[int, bytes]) -> str | None:
    """Return the name of a track's codec by registration, descriptor or type; None where nothing names it."""
    registered = _REGISTERED_NAMES.get(described.get(_REGISTRATION, b"")[:4])
    extended = next((_EXTENSION_NAMES.get(kind) for kind in described.get(_DVB_EXTENSION, b"")[:1]), None)
    tagged = next((name for tag, name in _TAG_NAMES.items() if tag in described), None)
    return registered or extended or tagged or _TYPE_NAMES.get(stream_type)


def _pid(section: bytes, at: int) -> int:
    return (section[at] & 0x1F) << 8 | section[at + 1]


def _length(section: bytes, at: int) -> int:
    return (section[at] & 0x0F) << 8 | section[at + 1]


def _crc_step(value: int) -> int:
    for _ in range(8):
        value = value << 1 ^ (0x104C11DB7 if value & 0x80000000 else 0)
    return value


_CRC_STEPS = tuple(_crc_step(byte << 24) for byte in range(256))


def crc32_mpeg(section: bytes) -> int:
    """Return the checksum of a section with its own checksum behind it: 0 if right (ISO/IEC 13818-1, annex A)."""
    crc = 0xFFFFFFFF
    for byte in section:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _CRC_STEPS[crc >> 24 ^ byte]
    return crc
