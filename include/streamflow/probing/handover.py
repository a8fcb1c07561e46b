"""The handover of media from the process that fetches to the process that measures.

The fetcher sends batches: a header in JSON, and bytes of media behind it. One message comes back, when the other side
wants no more. All times are monotonic, which is one clock for all processes of a machine.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from streamflow.probing.isolation import messages
from streamflow.probing.isolation.messages import Channel
from streamflow.probing.judgement.refusal import Refusal
from streamflow.probing.net.receive_buffer import BATCH_SECONDS, Batch, End, ReceiveBuffer
from streamflow.probing.protocols.source_info import SourceInfo

# More than a batch, or the sound of a sample in segments of its own.
MAX_BYTES = 150_000_000
# The fetcher replies at once; on a machine without a free core it takes longer.
GRACE_SECONDS = 10.0
_HEAD_BYTES = 16


class FeedLost(Exception):
    """The fetcher ended without its last batch."""


# -- the fetcher's side --------------------------------------------------------------------------
def hand_over(buffer: ReceiveBuffer, source: SourceInfo, media: Channel, refusal_of: Callable[..., Refusal]) -> None:
    """Send all batches with the facts about their source, until the last one.

    :param refusal_of: returns the refusal for an exception that ended the feed.
    :raises OSError: when the other side is gone.
    """
    threading.Thread(target=_obey, args=(media, buffer), name="handover", daemon=True).start()
    sent: dict[str, Any] | None = None
    sent_audio = 0
    while True:
        batch = buffer.batch()
        facts = source.facts()
        audio = bytes(source.playlist.audio[sent_audio:]) if source.playlist else b""
        sent_audio += len(audio)
        messages.send(media, _header(batch, None if facts == sent else facts, len(audio), refusal_of))
        sent = facts
        for data in (batch.data, audio):
            if data:
                media.send_bytes(data)
        if batch.end:
            return


def _obey(media: Channel, buffer: ReceiveBuffer) -> None:
    """Finish when the other side says so, or is gone."""
    with suppress(EOFError, OSError):
        messages.receive(media)
    buffer.finish()


def _header(
    batch: Batch, facts: dict[str, Any] | None, audio: int, refusal_of: Callable[..., Refusal]
) -> dict[str, Any]:
    end = batch.end and {
        "ended": batch.end.ended,
        "failure": _refusal_fields(batch.end, refusal_of),
        "starved": batch.end.starved,
    }
    return {"marks": batch.marks, "size": len(batch.data), "audio": audio, "source": facts, "end": end}


def _refusal_fields(end: End, refusal_of: Callable[..., Refusal]) -> dict[str, Any] | None:
    if end.failure is None:
        return None
    refusal = end.failure if isinstance(end.failure, Refusal) else refusal_of(end.failure)
    return {
        "verdict": refusal.verdict,
        "reason": refusal.reason,
        "detail": refusal.detail,
        "retryable": refusal.retryable,
        "retry_after": refusal.retry_after,
        "extra": refusal.extra,
    }


# -- the other side ------------------------------------------------------------------------------
class ReceivedMedia:
    """Media as the demuxer and the analysis read them (see :class:`streamflow.probing.media.source.ByteSource`).

    ``deadline`` (monotonic) is set by the reader: nothing that arrives later is read. ``ended`` is when the feed ended
    (monotonic), None while it has not, and ``failure`` the refusal that ended it. ``starved`` are the spells in which
    the fetcher could not receive, known at the end. ``head`` and ``last_chunk`` are the first bytes and the last ones,
    for a body in which no media are found.

    :param source: is kept up to date with what the fetcher learns.
    """

    def __init__(self, media: Channel, source: SourceInfo) -> None:
        self.started = time.monotonic()
        self.deadline = float("inf")
        self.on_wait: Callable[[], None] = lambda: None
        self.bytes = 0
        self.failure: Refusal | None = None
        self.ended: float | None = None
        self.starved: list[tuple[float, float]] = []
        self.head = b""
        self.last_chunk = b""
        self.is_exhausted = False
        self._media = media
        self._source = source
        self._is_asked = False
        self._is_complete = False
        self._offsets: list[int] = []
        self._times: list[float] = []
        self._left = memoryview(b"")
        self._position = 0

    @property
    def first_byte(self) -> float | None:
        """When the first byte arrived (monotonic), None before."""
        return self._times[0] if self._times else None

    @property
    def is_whole(self) -> bool:
        """Whether the sender closed the stream in good order and every byte of it has been read."""
        return self.is_exhausted and self.ended is not None and self.failure is None

    def offset(self, position: int | None) -> int:
        """Return the offset of a packet that a demuxer read at ``position``, by default that of the packet before."""
        if position is not None and position >= 0:
            self._position = position
        return self._position

    def arrived(self, offset: int) -> float:
        """Return when the byte at ``offset`` arrived (monotonic); beyond the end, the last chunk's time."""
        return self._times[min(bisect_left(self._offsets, offset + 1), len(self._times) - 1)]

    def peek(self, count: int) -> bytes:
        """Wait for the first ``count`` bytes and return them; fewer when the feed or the time ends before."""
        while len(self._left) < count and (data := self._next()):
            self._left = memoryview(bytes(self._left) + data)
        return bytes(self._left[:count])

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        if not self._left:
            data = self._next()
            self.is_exhausted = not data
            if len(data) <= size:
                return data
            self._left = memoryview(data)
        taken, self._left = self._left[:size], self._left[size:]
        return bytes(taken)

    def finish(self) -> None:
        """Have the connection closed, and learn how receiving ended; does nothing when that is known."""
        if not self._is_complete:
            self.deadline = min(self.deadline, time.monotonic())
        while self._next():
            continue

    def _next(self) -> bytes:
        """Wait for the next batch of media and return it; nothing at the end.

        :raises FeedLost: when the fetcher is gone.
        """
        while not self._is_complete:
            left = self.deadline - time.monotonic()
            if left <= 0:
                self._ask_for_the_end()
            if self._media.poll(BATCH_SECONDS if left <= 0 else min(BATCH_SECONDS, left)):
                try:
                    data = self._take(messages.receive(self._media))
                except (EOFError, OSError) as error:
                    raise FeedLost from error
                if data:
                    return data
            elif left < -GRACE_SECONDS:
                # A fetcher that was not let run until now has nothing more to say in time.
                self._is_complete = True
            else:
                self.on_wait()
        return b""

    def _ask_for_the_end(self) -> None:
        if not self._is_asked:
            self._is_asked = True
            # Of a fetcher that is gone, the last batch may be there already.
            with suppress(OSError):
                messages.send(self._media, "end")

    def _take(self, header: dict[str, Any]) -> bytes:
        """Receive what follows a header and return the media in it."""
        data = self._media.recv_bytes(MAX_BYTES) if header["size"] else b""
        for at, offset in header["marks"]:
            self._times.append(at)
            self._offsets.append(offset)
        self.bytes += len(data)
        self.head = self.head or data[:_HEAD_BYTES]
        self.last_chunk = data or self.last_chunk
        if header["source"]:
            self._source.update(header["source"])
        if header["audio"] and self._source.playlist:
            self._source.playlist.audio += self._media.recv_bytes(MAX_BYTES)
        if end := header["end"]:
            self._is_complete = True
            self.ended = end["ended"]
            self.failure = Refusal(**end["failure"]) if end["failure"] else None
            self.starved = [(due, came) for due, came in end["starved"]]
        return data
