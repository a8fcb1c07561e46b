"""A byte source is read in parts, each of which begins with what a demuxer needs."""

from __future__ import annotations

import time

import pytest

from lab import Media
from lab.mpegts import PACKET
from streamflow.probing.media.demuxer import open_container
from streamflow.probing.media.parts import MAX_PARTS, Boundary, PartReader, TransportStructure
from streamflow.probing.media.transport_stream import PacketHeaders


class Bytes:
    """A source whose bytes are all there, read in chunks of ``size``."""

    def __init__(self, data: bytes, size: int = 400_000) -> None:
        self._data, self._size = memoryview(data), size
        self.started = self.first_byte = time.monotonic() - 10
        self.deadline = float("inf")
        self.bytes = 0
        self.is_exhausted = self.is_whole = False
        self.on_wait = lambda: None

    def read(self, size: int) -> bytes:
        taken = bytes(self._data[: min(size, self._size)])
        self._data = self._data[len(taken) :]
        self.bytes += len(taken)
        self.is_exhausted = self.is_whole = not taken
        return taken

    def offset(self, position: int | None) -> int:
        return position or 0

    def arrived(self, offset: int) -> float:
        return self.started


class Letters:
    """A structure in which each capital letter begins a part, with its small letter before it."""

    def take(self, chunk: bytes) -> list[Boundary]:
        return [Boundary(at, chr(byte).lower().encode()) for at, byte in enumerate(chunk) if chr(byte).isupper()]

    def is_ready(self, waiting: int, seconds: float) -> bool:
        return waiting > 0

    def probe_bytes(self, waiting: int) -> int | None:
        return None

    def tables(self) -> bytes:
        return b"="


def parts(reader: PartReader) -> list[bytes]:
    found = []
    while reader.begin():
        part = b""
        while piece := reader.read(3):
            part += piece
        found.append(part)
        if not reader.has_next:
            break
    return found


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_each_part_ends_where_the_next_begins(size: int) -> None:
    reader = PartReader(Bytes(b"12345A678B9", size), Letters(), lambda: None)
    assert [part.strip(b"=") for part in parts(reader)] == [b"12345", b"aA678", b"bB9"]


def test_the_unread_rest_of_a_part_is_passed_over() -> None:
    reader = PartReader(Bytes(b"12345A678"), Letters(), lambda: None)
    assert reader.begin()
    assert reader.read(1) == b"1"
    assert reader.begin()
    assert reader.read(10) == b"a"
    assert (reader.read(10), reader.offset(2), reader.has_next) == (b"A678", 6, False)


def test_the_parts_of_a_source_are_bounded() -> None:
    assert len(parts(PartReader(Bytes(b"A" * 1000), Letters(), lambda: None))) == MAX_PARTS


def test_tables_that_stand_far_behind_are_put_first(lab_media: Media) -> None:
    clip = lab_media.clip("uhd50_hevc").data[: PACKET * 12_000]
    packets = [bytes(clip[at : at + PACKET]) for at in range(0, len(clip), PACKET)]
    tables = [packet for packet in packets if (packet[1] & 0x1F) << 8 | packet[2] in (0, 0x1000)]
    media = [packet for packet in packets if packet not in tables]
    late = b"".join([*media[:7000], *tables[:2], *media[7000:]])
    reader = PartReader(Bytes(late), TransportStructure(PacketHeaders()), lambda: None)
    assert reader.begin()
    with open_container(reader, "mpegts", reader.probe_bytes) as container:
        assert [stream.codec_context.name for stream in container.streams.video] == ["hevc"]
