"""Media reach the process that measures as the fetcher received them, with their times and the facts about them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from multiprocessing import Pipe
from threading import Thread

import pytest

from streamflow.probing.handover import FeedLost, ReceivedMedia, hand_over
from streamflow.probing.judgement.refusal import dead, fault
from streamflow.probing.net.receive_buffer import ReceiveBuffer
from streamflow.probing.protocols.segments import PlaylistInfo
from streamflow.probing.protocols.source_info import SourceInfo


class Handed:
    """A feed, and what comes of it on the other side."""

    def __init__(
        self, *chunks: bytes, gap: float = 0.0, failure: Exception | None = None, source: SourceInfo | None = None
    ) -> None:
        self.source, self.known = source or SourceInfo(), SourceInfo()
        self._chunks, self._gap, self._failure = chunks, gap, failure
        here, there = Pipe()
        self.received = ReceivedMedia(here, self.known)
        self.buffer = ReceiveBuffer(self._feed, lambda: None)
        self.thread = Thread(target=hand_over, args=(self.buffer, self.source, there, fault), daemon=True)
        self.thread.start()

    def _feed(self) -> Iterator[bytes]:
        for number, chunk in enumerate(self._chunks):
            if self.source.playlist:
                self.source.playlist.borders.append(number)
                self.source.playlist.audio += b"a"
            yield chunk
            time.sleep(self._gap)
        if self._failure:
            raise self._failure


def read_all(received: ReceivedMedia) -> bytes:
    return b"".join(iter(lambda: received.read(1000), b""))


def test_all_bytes_are_read_in_order() -> None:
    chunks = [bytes((number,)) * (number * 100) for number in range(1, 60)]
    received = Handed(*chunks).received
    assert read_all(received) == b"".join(chunks)
    assert received.bytes == sum(map(len, chunks))
    assert received.is_whole


def test_a_look_ahead_takes_nothing_away() -> None:
    received = Handed(b"abc", b"def").received
    assert received.peek(4) == b"abcd"
    assert read_all(received) == b"abcdef"
    assert received.head == b"abcdef"[: len(received.head)]


def test_each_byte_has_the_time_of_its_arrival() -> None:
    received = Handed(b"a" * 10, b"b" * 10, gap=0.1).received
    read_all(received)
    first, second = received.arrived(9), received.arrived(10)
    assert first == received.first_byte
    assert second - first == pytest.approx(0.1, abs=0.05)
    assert received.arrived(10_000) == second


def test_only_bytes_before_the_deadline_are_read_and_the_feed_is_ended() -> None:
    handed = Handed(*[b"x" * 10] * 100, gap=0.05)
    handed.received.deadline = time.monotonic() + 0.18
    assert 10 <= len(read_all(handed.received)) <= 100
    assert (handed.received.ended, handed.received.is_whole) == (None, False)
    handed.thread.join(1)
    assert not handed.thread.is_alive()


def test_a_reader_that_has_enough_ends_the_feed() -> None:
    handed = Handed(*[b"x" * 3000] * 100, gap=0.05)
    assert handed.received.read(10)
    handed.received.finish()
    assert handed.received.ended is None
    handed.thread.join(1)
    assert not handed.thread.is_alive()


def test_how_the_feed_failed_is_known() -> None:
    received = Handed(b"x", failure=dead("http_404", "gone", retryable=False)).received
    assert read_all(received) == b"x"
    assert received.failure
    assert (received.failure.reason, received.failure.detail, received.failure.retryable) == ("http_404", "gone", False)
    assert received.ended is not None
    assert not received.is_whole


def test_a_fault_of_the_fetcher_is_told_without_its_message() -> None:
    received = Handed(b"x", failure=KeyError("http://host/secret")).received
    read_all(received)
    assert received.failure
    assert received.failure.reason == "internal_error"
    assert "secret" not in received.failure.detail


def test_facts_about_the_source_come_before_the_bytes_they_concern() -> None:
    source = SourceInfo(redirects=2, playlist=PlaylistInfo("hls"))
    handed = Handed(b"x" * 3000, b"y" * 3000, gap=0.4, source=source)
    assert handed.received.read(1) == b"x"
    playlist = handed.known.playlist
    assert playlist
    watched = playlist.borders
    read_all(handed.received)
    assert (handed.known.redirects, playlist.protocol, watched) == (2, "hls", [0, 1])
    assert bytes(playlist.audio) == b"aa"


def test_packets_without_a_position_stand_where_the_one_before_stood() -> None:
    received = Handed(b"x" * 100).received
    assert [received.offset(position) for position in (None, 40, -1, 60)] == [0, 40, 40, 60]


def test_a_fetcher_that_is_gone_is_noticed() -> None:
    here, there = Pipe()
    received = ReceivedMedia(here, SourceInfo())
    there.close()
    with pytest.raises(FeedLost):
        received.read(10)
