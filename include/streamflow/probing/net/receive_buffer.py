"""Receiving: a thread takes the bytes as they come and notes when, the measuring reads them as a file."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator

from streamflow.probing.starvation import StarvationMonitor

# Bytes that may wait for the measuring; a sender that is faster is held up.
BACKLOG_BYTES = 16_000_000
LOOK_SECONDS = 0.1
# The measuring takes so much at once, or what has come in so long.
BATCH_BYTES = 400_000
BATCH_SECONDS = 0.3


class ReceiveBuffer:
    """Bytes from ``feed`` (blocking, in a thread of its own), each chunk with the time of its arrival.

    ``ended`` and ``failure`` (what it raised) tell how the feed came to its end. ``read`` serves as the file of a
    demuxer: it answers nothing that comes after ``deadline`` (monotonic).
    ``late`` tells when nobody could look whether something had come.
    """

    def __init__(self, feed: Callable[[], Iterator[bytes]], close: Callable[[], None]) -> None:
        self.started = time.monotonic()
        self.late = StarvationMonitor()
        self.deadline = float("inf")
        self.on_wait: Callable[[], None] = lambda: None
        self.bytes = 0
        self.failure: Exception | None = None
        self.ended: float | None = None
        self._feed = feed
        self._close = close
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._offsets: list[int] = []
        self._times: list[float] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._left = memoryview(b"")
        self.head = b""
        self._position = 0
        self._is_begun = False
        self._is_drained = False
        self.is_exhausted = False
        self._thread = threading.Thread(target=self._receive, name="reception", daemon=True)
        self._thread.start()
        self.late.start()

    def _receive(self) -> None:
        failure: Exception | None = None
        try:
            for chunk in self._feed():
                if not self._take(chunk):
                    return
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that reads, by whoever asks for it
            failure = error
        finally:
            with self._changed:
                self.failure = None if self._stopping else failure
                self.ended = time.monotonic()
                self._changed.notify_all()

    def _take(self, chunk: bytes) -> bool:
        """Keep a chunk; False when nobody wants more."""
        now = time.monotonic()
        with self._changed:
            while self._waiting > BACKLOG_BYTES and not self._stopping:
                self._changed.wait(LOOK_SECONDS)
            if self._stopping:
                return False
            # What the measuring was too slow for waits in the kernel, or at the sender.
            self.late.note(now, time.monotonic())
            self.head = self.head or chunk[:16]
            self._chunks.append(chunk)
            self._waiting += len(chunk)
            self.bytes += len(chunk)
            self._offsets.append(self.bytes)
            self._times.append(now)
            if not self._is_begun or self._waiting >= BATCH_BYTES:
                self._changed.notify_all()
        return True

    @property
    def first_byte(self) -> float | None:
        """When the first byte came (monotonic)."""
        return self._times[0] if self._times else None

    def offset(self, position: int | None) -> int:
        """The offset of what a demuxer found at ``position``; that of the packet before where it does not tell."""
        if position is not None and position >= 0:
            self._position = position
        return self._position

    def arrived(self, offset: int) -> float:
        """When the byte at ``offset`` came (monotonic); the last chunk's time beyond the end."""
        return self._times[min(bisect_left(self._offsets, offset + 1), len(self._times) - 1)]

    def is_over(self) -> bool:
        return time.monotonic() >= self.deadline

    def peek(self, count: int) -> bytes:
        """Up to ``count`` first bytes, waited for until they are there or the feed or the time has ended."""
        with self._changed:
            while self._waiting < count and self.ended is None and not self.is_over():
                self._changed.wait(LOOK_SECONDS)
            head = b""
            for chunk in self._chunks:
                head += chunk[: count - len(head)]
                if len(head) >= count:
                    break
            return head

    @property
    def is_whole(self) -> bool:
        """Whether the sender closed the stream in good order and every byte of it has been read."""
        return self.is_exhausted and self.ended is not None and self.failure is None

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        self._is_begun = True
        if not self._left:
            chunk = self._next()
            if chunk is None:
                self.is_exhausted = True
                return b""
            self._left = memoryview(chunk)
        taken, self._left = self._left[:size], self._left[size:]
        return bytes(taken)

    def _next(self) -> bytes | None:
        """A batch of what has come: waking up for every chunk would cost as much as the measuring."""
        until = time.monotonic() + BATCH_SECONDS
        while True:
            with self._changed:
                if self._is_drained:
                    return None
                is_last = self._is_drained = self.ended is not None or self.is_over()
                if is_last and not self._chunks:
                    return None
                if self._chunks and (is_last or self._waiting >= BATCH_BYTES or time.monotonic() >= until):
                    batch = b"".join(self._chunks)
                    self._chunks.clear()
                    self._waiting = 0
                    self._changed.notify_all()
                    return batch
                # A full batch and the end are told; the rest of the time nobody needs to look.
                self._changed.wait(min(BATCH_SECONDS, max(0.0, self.deadline - time.monotonic())))
            self.on_wait()

    def stop(self) -> None:
        """End the connection and the thread."""
        self.late.stop()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._close()
        # A thread that is still connecting closes its socket by itself as soon as it has one.
        self._thread.join(timeout=LOOK_SECONDS)
