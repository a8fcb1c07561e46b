"""The receive buffer: a thread takes bytes as they arrive and notes when; another one hands them on in batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from streamflow.probing.starvation import StarvationMonitor

# Bytes that may wait to be handed on; a faster sender is held back.
BACKLOG_BYTES = 16_000_000
BACKLOG_CHUNKS = 50_000
WAIT_SECONDS = 0.1
# Chunks that arrive within this time count as one.
TIME_RESOLUTION_SECONDS = 0.002
# A batch holds this much, or all that has arrived in this time: a wake-up of the reader for each chunk would cost as
# much as the analysis.
BATCH_BYTES = 400_000
MAX_BATCH_BYTES = 1_000_000
BATCH_SECONDS = 0.3
# The first bytes are handed on at once, since they decide whether there is anything to wait for.
EAGER_BYTES = 2_000

#: The time (monotonic) at which a chunk arrived, and the offset of its end in the stream.
Mark = tuple[float, int]


@dataclass(frozen=True)
class End:
    """How receiving ended.

    :param ended: when the feed ended (monotonic); None where it had not when receiving was finished.
    :param failure: the exception that ended the feed.
    :param starved: the spells in which the machine did not let this process receive.
    """

    ended: float | None
    failure: Exception | None
    starved: list[tuple[float, float]]


@dataclass(frozen=True)
class Batch:
    """Bytes in the order of the stream, with their marks; ``end`` is set in the last one."""

    data: bytes
    marks: list[Mark]
    end: End | None = None


class ReceiveBuffer:
    """Receives the bytes of ``feed`` in a thread of its own, until it ends or :meth:`finish` is called.

    :param feed: returns a blocking iterator over chunks.
    :param close: ends the feed's connection, from another thread.
    """

    def __init__(self, feed: Callable[[], Iterator[bytes]], close: Callable[[], None]) -> None:
        self.late = StarvationMonitor()
        self.bytes = 0
        self._feed = feed
        self._close = close
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._waiting = 0
        self._handed_on = 0
        self._failure: Exception | None = None
        self._ended: float | None = None
        self._changed = threading.Condition()
        self._end: End | None = None
        self._is_finishing = False
        self._thread = threading.Thread(target=self._receive, name="receive-buffer", daemon=True)
        self._thread.start()
        self.late.start()

    def _receive(self) -> None:
        failure: Exception | None = None
        try:
            for chunk in self._feed():
                if not self._take(chunk):
                    return
        except Exception as error:  # noqa: BLE001 - the reader decides what it means
            failure = error
        finally:
            with self._changed:
                # A feed that the reader has finished did not end by itself.
                if not self._is_finishing:
                    self._failure, self._ended = failure, time.monotonic()
                self._changed.notify_all()

    def _take(self, chunk: bytes) -> bool:
        """Keep a chunk; False when no more are wanted."""
        now = time.monotonic()
        with self._changed:
            while (self._waiting > BACKLOG_BYTES or len(self._chunks) > BACKLOG_CHUNKS) and not self._is_finishing:
                self._changed.wait(WAIT_SECONDS)
            if self._is_finishing:
                return False
            # Bytes that the reader was too slow for have waited in the kernel, or at the sender.
            self.late.note(now, time.monotonic())
            self._chunks.append((now, chunk))
            self._waiting += len(chunk)
            self.bytes += len(chunk)
            if self._is_eager or self._waiting >= BATCH_BYTES:
                self._changed.notify_all()
        return True

    def finish(self) -> None:
        """Take nothing more: what has arrived until now is handed on, and then the end."""
        with self._changed:
            self._is_finishing = True
            self._changed.notify_all()

    @property
    def _is_eager(self) -> bool:
        return self._handed_on < EAGER_BYTES

    def batch(self) -> Batch:
        """Wait for the next bytes and return them; the last batch says how receiving ended."""
        until = time.monotonic() + BATCH_SECONDS
        with self._changed:
            while self._end is None:
                now = time.monotonic()
                if self._ended is not None or self._is_finishing:
                    self._end = End(self._ended, self._failure, self.late.spells())
                elif self._waiting >= BATCH_BYTES or (self._chunks and (self._is_eager or now >= until)):
                    break
                else:
                    wait = until - now if now < until else BATCH_SECONDS
                    self._changed.wait(wait)
            return self._taken()

    def _taken(self) -> Batch:
        parts: list[bytes] = []
        marks: list[Mark] = []
        size = 0
        while self._chunks and size < MAX_BATCH_BYTES:
            at, chunk = self._chunks.popleft()
            size += len(chunk)
            parts.append(chunk)
            if marks and at - marks[-1][0] < TIME_RESOLUTION_SECONDS:
                at = marks.pop()[0]
            marks.append((at, self._handed_on + size))
        self._waiting -= size
        self._handed_on += size
        self._changed.notify_all()
        return Batch(b"".join(parts), marks, None if self._chunks else self._end)

    def stop(self) -> None:
        """End the connection and the thread."""
        self.late.stop()
        self.finish()
        self._close()
        # A thread that is still connecting closes its socket itself as soon as it has one.
        self._thread.join(timeout=WAIT_SECONDS)
