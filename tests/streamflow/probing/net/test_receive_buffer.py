"""Bytes as they come: when each arrived, and where the reading ends."""

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


def read_all(reception: ReceiveBuffer) -> bytes:
    return b"".join(iter(lambda: reception.read(1000), b""))


def test_all_bytes_are_read_in_order() -> None:
    chunks = [bytes((number,)) * (number * 100) for number in range(1, 60)]
    reception = received(*chunks)
    assert read_all(reception) == b"".join(chunks)
    assert reception.bytes == sum(map(len, chunks))
    assert reception.is_exhausted


def test_a_look_ahead_takes_nothing_away() -> None:
    reception = received(b"abc", b"def")
    assert reception.peek(4) == b"abcd"
    assert read_all(reception) == b"abcdef"


def test_each_byte_has_the_time_of_its_chunk() -> None:
    reception = received(b"a" * 10, b"b" * 10, gap=0.1)
    read_all(reception)
    first, second = reception.arrived(9), reception.arrived(10)
    assert first == reception.first_byte
    assert second - first == pytest.approx(0.1, abs=0.05)
    assert reception.arrived(10_000) == second


def test_what_came_before_the_deadline_is_read_and_what_came_after_is_not() -> None:
    reception = received(*[b"x" * 10] * 8, gap=0.05)
    reception.deadline = time.monotonic() + 0.18
    assert 30 <= len(read_all(reception)) <= 60
    assert reception.read(10) == b""
    reception.stop()


def test_how_the_feed_failed_is_kept() -> None:
    reception = received(b"x", failure=dead("no_data", "gone"))
    assert read_all(reception) == b"x"
    assert isinstance(reception.failure, Refusal)
    assert reception.ended is not None


def test_a_sender_that_is_too_fast_is_held_up() -> None:
    taken = threading.Semaphore(0)

    def feed() -> Iterator[bytes]:
        while True:
            yield b"x" * 1_000_000
            taken.release()

    reception = ReceiveBuffer(feed, lambda: None)
    deadline = time.monotonic() + 2
    while reception.bytes <= BACKLOG_BYTES and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    held = reception.bytes
    assert BACKLOG_BYTES < held <= BACKLOG_BYTES + 2_000_000
    time.sleep(0.05)
    assert reception.bytes == held
    reception.stop()


def test_packets_without_a_position_stand_where_the_one_before_stood() -> None:
    reception = received(b"x" * 100)
    assert [reception.offset(position) for position in (None, 40, -1, 60)] == [0, 40, 40, 60]
