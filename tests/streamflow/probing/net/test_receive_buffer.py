"""The receive buffer: when each byte arrived, and where reading ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from streamflow.probing.judgement.refusal import Refusal, dead
from streamflow.probing.net.receive_buffer import BACKLOG_BYTES, ReceiveBuffer


def received(*chunks: bytes, gap: float = 0.0, failure: Exception | None = None) -> ReceiveBuffer:
    def feed() -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk
            time.sleep(gap)
        if failure:
            raise failure

    return ReceiveBuffer(feed, lambda: None)


def read_all(buffer: ReceiveBuffer) -> bytes:
    return b"".join(iter(lambda: buffer.read(1000), b""))


def test_all_bytes_are_read_in_order() -> None:
    chunks = [bytes((number,)) * (number * 100) for number in range(1, 60)]
    buffer = received(*chunks)
    assert read_all(buffer) == b"".join(chunks)
    assert buffer.bytes == sum(map(len, chunks))
    assert buffer.is_exhausted


def test_a_look_ahead_takes_nothing_away() -> None:
    buffer = received(b"abc", b"def")
    assert buffer.peek(4) == b"abcd"
    assert read_all(buffer) == b"abcdef"


def test_each_byte_has_the_time_of_its_chunk() -> None:
    buffer = received(b"a" * 10, b"b" * 10, gap=0.1)
    read_all(buffer)
    first, second = buffer.arrived(9), buffer.arrived(10)
    assert first == buffer.first_byte
    assert second - first == pytest.approx(0.1, abs=0.05)
    assert buffer.arrived(10_000) == second


def test_only_bytes_before_the_deadline_are_read() -> None:
    buffer = received(*[b"x" * 10] * 8, gap=0.05)
    buffer.deadline = time.monotonic() + 0.18
    assert 30 <= len(read_all(buffer)) <= 60
    assert buffer.read(10) == b""
    buffer.stop()


def test_how_the_feed_failed_is_kept() -> None:
    buffer = received(b"x", failure=dead("no_data", "gone"))
    assert read_all(buffer) == b"x"
    assert isinstance(buffer.failure, Refusal)
    assert buffer.ended is not None


def test_a_sender_that_is_too_fast_is_held_up() -> None:
    taken = threading.Semaphore(0)

    def feed() -> Iterator[bytes]:
        while True:
            yield b"x" * 1_000_000
            taken.release()

    buffer = ReceiveBuffer(feed, lambda: None)
    deadline = time.monotonic() + 2
    while buffer.bytes <= BACKLOG_BYTES and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    held = buffer.bytes
    assert BACKLOG_BYTES < held <= BACKLOG_BYTES + 2_000_000
    time.sleep(0.05)
    assert buffer.bytes == held
    buffer.stop()


def test_packets_without_a_position_stand_where_the_one_before_stood() -> None:
    buffer = received(b"x" * 100)
    assert [buffer.offset(position) for position in (None, 40, -1, 60)] == [0, 40, 40, 60]
