"""Programs are read from tables in one packet or several, in any damage, and followed for as long as they last."""

from __future__ import annotations

import random

import pytest

from lab import Media
from streamflow.probing.media.programs import MAX_PROGRAMS, PACKET, Programs, crc32_mpeg
from streamflow.probing.media.transport_stream import PacketHeaders


def section(table: int, number: int, body: bytes) -> bytes:
    length = len(body) + 9
    made = bytes((table, 0xB0 | length >> 8, length & 0xFF)) + number.to_bytes(2, "big") + b"\xc1\0\0" + body
    return made + crc32_mpeg(made).to_bytes(4, "big")


def packets(pid: int, data: bytes) -> bytes:
    """A section from one packet to the next."""
    data, made, start = b"\0" + data, b"", 0x40
    while data:
        made += bytes((0x47, start | pid >> 8, pid & 0xFF, 0x10)) + data[:184].ljust(184, b"\xff")
        data, start = data[184:], 0
    return made


def pat(*programs: tuple[int, int]) -> bytes:
    body = b"".join(number.to_bytes(2, "big") + (0xE000 | pid).to_bytes(2, "big") for number, pid in programs)
    return packets(0, section(0, 1, body))


def pmt(pid: int, number: int, *streams: int, descriptors: bytes = b"", kind: int = 0x1B) -> bytes:
    body = b"\xe1\x00\xf0\x00"
    for stream in streams:
        body += bytes((kind,)) + (0xE000 | stream).to_bytes(2, "big") + (0xF000 | len(descriptors)).to_bytes(2, "big")
        body += descriptors
    return packets(pid, section(2, number, body))


def read(*chunks: bytes) -> PacketHeaders:
    headers = PacketHeaders()
    for chunk in chunks:
        headers.take(chunk)
    return headers


def pids(programs: Programs) -> dict[int, set[int]]:
    return {number: {track.pid for track in tracks} for number, tracks in programs.tracks.items()}


FILLING = packets(0x1FFF, bytes(180))


@pytest.mark.parametrize("descriptors", [b"", b"\x0a\x04eng\x00", b"\x05" + bytes((120,)) + b"x" * 120])
def test_each_program_has_its_tracks(descriptors: bytes) -> None:
    found = read(
        pat((0, 16), (1, 100), (2, 200)),
        pmt(100, 1, 101, 102, descriptors=descriptors) + pmt(200, 2, 201, descriptors=descriptors),
    ).programs
    assert pids(found) == {1: {101, 102}, 2: {201}}
    assert (found.of(102), found.of(201), found.of(300)) == ({101, 102}, {201}, None)


def test_a_single_program_excludes_nothing() -> None:
    found = read(pat((1, 100)) + pmt(100, 1, 101)).programs
    assert (pids(found), found.of(101), found.is_complete) == ({1: {101}}, None, True)


def test_the_labs_tables_are_read(lab_media: Media) -> None:
    found = read(lab_media.clip("hd50_4m").data[: PACKET * 100]).programs
    assert list(pids(found).values()) == [{0x100, 0x110, 0x111}]


def test_programs_are_found_however_late_their_tables_come() -> None:
    late = [pmt(100 + number, number, 1000 + number) for number in range(1, 9)]
    chunks = [pat(*((number, 100 + number) for number in range(1, 9)))]
    for table in late:
        chunks += [FILLING * 2000, table]
    assert pids(read(*chunks).programs) == {number: {1000 + number} for number in range(1, 9)}


def test_no_more_programs_are_believed_than_there_can_be() -> None:
    headers = PacketHeaders()
    for first in range(1, 4000, 40):
        headers.take(pat(*((number, number) for number in range(first, first + 40))))
    assert len(headers.programs.pids) <= MAX_PROGRAMS + 1


@pytest.mark.parametrize("seed", range(200))
def test_damaged_tables_are_read_as_far_as_they_go(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(pat((1, 100), (2, 200)) + pmt(100, 1, 101, 102, descriptors=b"x" * 90) + pmt(200, 2, 201))
    for _ in range(chance.randrange(1, 40)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    read(bytes(data))


def test_other_tracks_of_a_program_are_a_change_with_the_tables_that_announce_them() -> None:
    headers = read(pat((1, 100)) + pmt(100, 1, 101) + FILLING)
    assert headers.changes == []
    new = pat((1, 200)), pmt(200, 1, 301)
    headers.take(FILLING * 3 + b"".join(new) + FILLING)
    assert [(change.offset, change.tables) for change in headers.changes] == [(5 * PACKET, b"".join(new))]


def test_a_change_is_found_in_a_packet_that_two_chunks_share() -> None:
    headers = read(pat((1, 100)) + pmt(100, 1, 101) + FILLING)
    data = FILLING + pmt(100, 1, 301) + FILLING
    headers.take(data[: PACKET + 50])
    assert headers.changes == []
    headers.take(data[PACKET + 50 :])
    assert [change.offset for change in headers.changes] == [PACKET - 50]


def test_a_damaged_table_changes_no_program() -> None:
    damaged = bytearray(pmt(100, 1, 101))
    damaged[19] ^= 0x10
    headers = read(pat((1, 100)) + pmt(100, 1, 101))
    headers.take(bytes(damaged))
    assert (headers.changes, pids(headers.programs)) == ([], {1: {101}})


@pytest.mark.parametrize(
    ("kind", "descriptors", "codec"),
    [
        (0x1B, b"", "h264"),
        (0x06, b"\x05\x04AC-4", "ac4"),
        (0x06, b"\x7f\x02\x15\x00", "ac4"),
        (0x06, b"\x7f\x00", None),
        (0x2D, b"", "mpegh_3d_audio"),
        (0xD2, b"", "avs2"),
        (0x06, b"", None),
    ],
)
def test_a_codec_is_named_by_type_registration_or_descriptor(kind: int, descriptors: bytes, codec: str | None) -> None:
    found = read(pat((1, 100)) + pmt(100, 1, 101, kind=kind, descriptors=descriptors)).programs
    assert [track.codec for track in found.tracks[1]] == [codec]
