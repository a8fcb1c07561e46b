"""Which streams belong together, from tables in one packet or several, and in any damage."""

from __future__ import annotations

import random

import pytest

from lab import Media
from streamflow.probing.media.programs import MAX_PROGRAMS, PACKET, Programs


def section(table: int, number: int, body: bytes) -> bytes:
    length = len(body) + 9
    return bytes((table, 0xB0 | length >> 8, length & 0xFF)) + number.to_bytes(2, "big") + b"\xc1\0\0" + body + b"CRC!"


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


def pmt(pid: int, number: int, *streams: int, descriptors: bytes = b"") -> bytes:
    body = b"\xe1\x00\xf0\x00"
    for stream in streams:
        body += b"\x1b" + (0xE000 | stream).to_bytes(2, "big") + (0xF000 | len(descriptors)).to_bytes(2, "big")
        body += descriptors
    return packets(pid, section(2, number, body))


@pytest.mark.parametrize("descriptors", [b"", b"\x0a\x04eng\x00", b"\x05" + bytes((120,)) + b"x" * 120])
def test_each_program_has_its_streams(descriptors: bytes) -> None:
    found = Programs()
    found.take(pat((0, 16), (1, 100), (2, 200)))
    found.take(pmt(100, 1, 101, 102, descriptors=descriptors) + pmt(200, 2, 201, descriptors=descriptors))
    assert found.streams == {1: {101, 102}, 2: {201}}
    assert (found.of(102), found.of(201), found.of(300)) == ({101, 102}, {201}, None)


def test_a_single_program_shuts_nothing_out() -> None:
    found = Programs()
    found.take(pat((1, 100)) + pmt(100, 1, 101))
    assert (found.streams, found.of(101)) == ({1: {101}}, None)


def test_the_labs_tables_are_read(lab_media: Media) -> None:
    found = Programs()
    found.take(lab_media.clip("hd50_4m").data[: PACKET * 100])
    assert list(found.streams.values()) == [{0x100, 0x110, 0x111}]


def test_no_more_programs_are_believed_than_there_can_be() -> None:
    found = Programs()
    for first in range(1, 4000, 40):
        found.take(pat(*((number, number) for number in range(first, first + 40))))
    assert len(found._tables) <= MAX_PROGRAMS + 1


@pytest.mark.parametrize("seed", range(200))
def test_damaged_tables_are_read_as_far_as_they_go(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(pat((1, 100), (2, 200)) + pmt(100, 1, 101, 102, descriptors=b"x" * 90) + pmt(200, 2, 201))
    for _ in range(chance.randrange(1, 40)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    Programs().take(bytes(data))
