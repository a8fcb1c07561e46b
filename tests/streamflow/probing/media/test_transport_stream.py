"""Lost and scrambled packets are counted from packet headers, in chunks of any size."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from streamflow.probing.media.transport_stream import PACKET, PacketHeaders, is_transport_stream


def packet(counter: int, *, pid: int = 0x100, flags: int = 0x10, filling: bytes = b"\x47\x00") -> bytes:
    return (bytes((0x47, pid >> 8, pid & 0xFF, flags | counter & 0x0F)) + filling * 92)[:PACKET]


def stream(count: int, **fields: int) -> bytes:
    return b"".join(packet(number, **fields) for number in range(count))  # type: ignore[arg-type]


def read(data: bytes, sizes: Iterable[int] = ()) -> PacketHeaders:
    headers, at = PacketHeaders(), 0
    for size in sizes:
        headers.take(data[at : at + size])
        at += size
    headers.take(data[at:])
    return headers


@pytest.mark.parametrize("seed", range(20))
def test_chunks_of_any_size_give_the_same_counts(seed: int) -> None:
    chance = random.Random(seed)
    data = stream(60) + stream(60, pid=0x101) + packet(7)
    found = read(data, [chance.randrange(1, 900) for _ in range(20)])
    assert (found.packets, found.continuity_errors, found.lost_sync) == (121, 1, 0)


def test_a_lost_packet_is_one_error() -> None:
    assert read(stream(20) + packet(5) + packet(6)).continuity_errors == 1


def test_a_packet_sent_twice_is_none() -> None:
    assert read(packet(0) + packet(1) + packet(1) + packet(2)).continuity_errors == 0


def test_packets_without_payload_do_not_count() -> None:
    assert read(packet(3) + packet(9, flags=0x20) + packet(4)).continuity_errors == 0


def test_null_packets_and_tables_are_left_out() -> None:
    assert read(stream(9, pid=0x1FFF) + packet(3, pid=0) + packet(9, pid=0)).packets == 0


def test_a_stream_is_scrambled_when_nearly_all_of_it_is() -> None:
    assert not read(stream(400, flags=0x90)).is_scrambled
    assert read(stream(600, flags=0x90)).is_scrambled
    half = read(stream(600, flags=0x90) + stream(600))
    assert not half.is_scrambled
    assert half.scrambled_share == 0.5


def test_sync_that_was_lost_is_found_again() -> None:
    found = PacketHeaders()
    for chunk in (stream(10), b"\x00" * 500, stream(10)):
        found.take(chunk)
    assert found.packets == 20


def test_a_transport_stream_is_known_from_wherever_it_begins() -> None:
    assert is_transport_stream(stream(6))
    assert is_transport_stream(stream(6)[77:])
    assert not is_transport_stream(random.Random(0).randbytes(2000))
    assert not is_transport_stream(stream(2))
    assert not is_transport_stream(b"")
