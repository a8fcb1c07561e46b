"""The receive buffer: when each byte arrived, and where receiving ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from streamflow.probing.judgement.refusal import Refusal, dead
from streamflow.probing.net.receive_buffer import (
    BACKLOG_BYTES,
    BATCH_BYTES,
    BATCH_SECONDS,
    EAGER_BYTES,
    Batch,
    ReceiveBuffer,
)


def received(*chunks: bytes, gap: float = 0.0, failure: Exception | None = None) -> ReceiveBuffer:
    def feed() -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk
            time.sleep(gap)
        if failure:
            raise failure

    return ReceiveBuffer(feed, lambda: None)


def batches(buffer: ReceiveBuffer) -> list[Batch]:
    taken = [buffer.batch()]
    while not taken[-1].end:
        taken.append(buffer.batch())
    return taken


def test_all_bytes_are_handed_on_in_order() -> None:
    chunks = [bytes((number,)) * (number * 100) for number in range(1, 60)]
    buffer = received(*chunks)
    assert b"".join(batch.data for batch in batches(buffer)) == b"".join(chunks)
    assert buffer.bytes == sum(map(len, chunks))


@pytest.mark.parametrize("failure", [None, dead("no_data", "reset")])
def test_a_feed_that_the_reader_finishes_has_not_ended_by_itself(failure: Refusal | None) -> None:
    goes_on, has_ended = threading.Event(), threading.Event()

    def feed() -> Iterator[bytes]:
        try:
            yield b"a"
            goes_on.wait()
            if failure:
                raise failure
            yield b"b"
        finally:
            has_ended.set()

    buffer = ReceiveBuffer(feed, lambda: None)
    assert buffer.batch().data == b"a"
    buffer.finish()
    goes_on.set()
    assert has_ended.wait(2)
    # The receiving thread notes the end after the feed has ended.
    time.sleep(0.05)
    end = batches(buffer)[-1].end
    assert end is not None
    assert (end.ended, end.failure) == (None, None)


def test_each_byte_has_the_time_of_its_chunk() -> None:
    began = time.monotonic()
    marks = [mark for batch in batches(received(b"a" * 10, b"b" * 10, gap=0.1)) for mark in batch.marks]
    (first, first_end), (second, second_end) = marks
    assert (first_end, second_end) == (10, 20)
    assert first - began < 0.1
    assert second - first == pytest.approx(0.1, abs=0.05)


def test_the_first_bytes_come_at_once_and_later_ones_in_batches() -> None:
    buffer = received(*[b"x" * EAGER_BYTES] * 12, gap=0.05)
    began = time.monotonic()
    assert len(buffer.batch().data) == EAGER_BYTES
    assert time.monotonic() - began < BATCH_SECONDS / 2
    assert len(buffer.batch().data) > 2 * EAGER_BYTES
    assert time.monotonic() - began > BATCH_SECONDS
    buffer.stop()


def test_a_full_batch_is_not_waited_for() -> None:
    buffer = received(b"x" * EAGER_BYTES, b"x" * BATCH_BYTES, *[b"x"] * 100, gap=0.1)
    began = time.monotonic()
    assert [len(buffer.batch().data) for _ in range(2)] == [EAGER_BYTES, BATCH_BYTES]
    assert time.monotonic() - began < BATCH_SECONDS
    buffer.stop()


def test_only_bytes_before_the_finish_are_handed_on() -> None:
    buffer = received(*[b"x" * 10] * 8, gap=0.05)
    time.sleep(0.18)
    buffer.finish()
    taken = batches(buffer)
    assert 20 <= sum(len(batch.data) for batch in taken) <= 60
    assert taken[-1].end
    assert taken[-1].end.ended is None
    buffer.stop()


def test_how_the_feed_failed_is_kept() -> None:
    (batch,) = batches(received(b"x", failure=dead("no_data", "gone")))[-1:]
    assert batch.end
    assert isinstance(batch.end.failure, Refusal)
    assert batch.end.ended is not None


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
