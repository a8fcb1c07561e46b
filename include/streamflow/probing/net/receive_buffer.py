"""The receive buffer: a thread takes bytes as they arrive and notes when, the analysis reads them as a file."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator

from streamflow.probing.starvation import StarvationMonitor

# Bytes that may wait for the analysis; a faster sender is held back.
BACKLOG_BYTES = 16_000_000
BACKLOG_CHUNKS = 50_000
WAIT_SECONDS = 0.1
# Chunks that arrive within this time count as one.
TIME_RESOLUTION_SECONDS = 0.002
# The analysis reads this much at once, or all that has arrived in this time.
BATCH_BYTES = 400_000
BATCH_SECONDS = 0.3


class ReceiveBuffer:
    """Receives the bytes of ``feed`` in a thread of its own, and serves them as a file to a demuxer.

    Attributes: ``started`` and ``ended`` are the times (monotonic) of the first request and of the feed's end, and
    ``failure`` is the exception that ended it. ``deadline`` (monotonic) is set by the reader: nothing that arrives
    later is read. ``late`` measures when the machine did not let this process run.

    :param feed: returns a blocking iterator over chunks.
    :param close: ends the feed's connection, from another thread.
    """

    def __init__(self, feed: Callable[[], Iterator[bytes]], close: Callable[[], None]) -> None:
        self.started = time.monotonic()
        self.late = StarvationMonitor()
        self.deadline = float("inf")
        self.on_wait: Callable[[], None] = lambda: None
        self.bytes = 0
        self.failure: Exception | None = None
        self.ended: float | None = None
        #: The first bytes and the last chunk, for a body in which no media are found.
        self.head = b""
        self.last_chunk = b""
        self.is_exhausted = False
        self._feed = feed
        self._close = close
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._offsets: list[int] = []
        self._times: list[float] = []
        self._changed = threading.Condition()
        self._is_stopping = False
        self._left = memoryview(b"")
        self._position = 0
        self._is_begun = False
        self._is_drained = False
        self._thread = threading.Thread(target=self._receive, name="receive-buffer", daemon=True)
        self._thread.start()
        self.late.start()

    def _receive(self) -> None:
        failure: Exception | None = None
        try:
            for chunk in self._feed():
                if not self._take(chunk):
                    return
        except Exception as error:  # noqa: BLE001 - the reading thread raises it
            failure = error
        finally:
            with self._changed:
                self.failure = None if self._is_stopping else failure
                self.ended = time.monotonic()
                self._changed.notify_all()

    def _take(self, chunk: bytes) -> bool:
        """Keep a chunk; False when no more are wanted."""
        now = time.monotonic()
        with self._changed:
            while (self._waiting > BACKLOG_BYTES or len(self._chunks) > BACKLOG_CHUNKS) and not self._is_stopping:
                self._changed.wait(WAIT_SECONDS)
            if self._is_stopping:
                return False
            # Bytes that the analysis was too slow for have waited in the kernel, or at the sender.
            self.late.note(now, time.monotonic())
            self.head = self.head or chunk[:16]
            self.last_chunk = chunk
            self._chunks.append(chunk)
            self._waiting += len(chunk)
            self.bytes += len(chunk)
            if self._times and now - self._times[-1] < TIME_RESOLUTION_SECONDS:
                self._offsets[-1] = self.bytes
            else:
                self._offsets.append(self.bytes)
                self._times.append(now)
            if not self._is_begun or self._waiting >= BATCH_BYTES:
                self._changed.notify_all()
        return True

    @property
    def first_byte(self) -> float | None:
        """When the first byte arrived (monotonic), None before."""
        return self._times[0] if self._times else None

    def offset(self, position: int | None) -> int:
        """Return the offset of a packet that a demuxer read at ``position``, by default that of the packet before."""
        if position is not None and position >= 0:
            self._position = position
        return self._position

    def arrived(self, offset: int) -> float:
        """Return when the byte at ``offset`` arrived (monotonic); beyond the end, the last chunk's time."""
        return self._times[min(bisect_left(self._offsets, offset + 1), len(self._times) - 1)]

    def is_over(self) -> bool:
        """Return whether the deadline has passed."""
        return time.monotonic() >= self.deadline

    def peek(self, count: int) -> bytes:
        """Wait for the first ``count`` bytes and return them; fewer when the feed or the time ends before."""
        with self._changed:
            while self._waiting < count and self.ended is None and not self.is_over():
                self._changed.wait(WAIT_SECONDS)
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
        """Return at most ``size`` bytes; none at the end."""
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
        """Return a batch of the chunks: a wake-up for each of them would cost as much as the analysis."""
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
                # The receiving thread notifies of a full batch and of the end.
                self._changed.wait(min(BATCH_SECONDS, max(0.0, self.deadline - time.monotonic())))
            self.on_wait()

    def stop(self) -> None:
        """End the connection and the thread."""
        self.late.stop()
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._close()
        # A thread that is still connecting closes its socket itself as soon as it has one.
        self._thread.join(timeout=WAIT_SECONDS)
