"""The parts of a byte source: stretches that one demuxer can read, from a change of the tracks to the next.

libav learns the tracks when it opens a file. Where an advertisement or another encoder brings other tracks, or another
description, the rest is opened again as a file of its own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streamflow.probing.media.demuxer import MAX_PROBE_BYTES, MIN_PROBE_BYTES
from streamflow.probing.media.iso_boxes import IsoBoxes
from streamflow.probing.media.source import ByteSource
from streamflow.probing.media.transport_stream import PacketHeaders

READ_BYTES = 400_000
# A transport stream is opened when this much of it has come, or after this time.
OPEN_BYTES = 1_500_000
OPEN_SECONDS = 1.0
# After this time, programs without a map and tracks without a packet are no longer waited for.
TRACK_SECONDS = 2.0
# Tables repeat every tenth of a second (ETSI TR 101 290); some servers send them every few seconds.
TABLE_SECONDS = 6.0
# A hostile stream may change at every packet.
MAX_PARTS = 50


@dataclass(frozen=True)
class Boundary:
    """The start of another part within a chunk; ``prefix`` is what its demuxer has to read first."""

    offset: int
    prefix: bytes = b""


class Structure(Protocol):
    """The structure of the bytes, as far as it is known without a demuxer."""

    def take(self, chunk: bytes) -> list[Boundary]:
        """Read a chunk and return the parts that begin in it."""

    def is_ready(self, waiting: int, seconds: float) -> bool:
        """Return whether a demuxer can learn the tracks from ``waiting`` bytes, ``seconds`` after the part began."""

    def probe_bytes(self, waiting: int) -> int | None:
        """Return how much of them a demuxer may read to learn the tracks; None for its usual amount."""

    def tables(self) -> bytes:
        """Return the packets that announce the tracks now sent, as far as they are known."""


class TransportStructure:
    """The tables of a transport stream, read into ``headers``."""

    def __init__(self, headers: PacketHeaders) -> None:
        self._headers = headers

    def take(self, chunk: bytes) -> list[Boundary]:
        """Read a chunk and return the places where a program's tracks change."""
        self._headers.take(chunk)
        return [Boundary(max(0, change.offset), change.tables) for change in self._headers.changes]

    def is_ready(self, waiting: int, seconds: float) -> bool:
        """Return whether the tables are known and each picture and sound track has sent something."""
        programs = self._headers.programs
        if waiting < OPEN_BYTES and seconds < OPEN_SECONDS:
            return False
        if not programs.tracks:
            return seconds >= TABLE_SECONDS
        tracks = [track for tracks in programs.tracks.values() for track in tracks if track.is_video or track.is_audio]
        has_all = programs.is_complete and all(self._headers.has_packets(track.pid) for track in tracks)
        return has_all or seconds >= TRACK_SECONDS

    def probe_bytes(self, waiting: int) -> int:
        """Return a third: libav may read that much once to recognize codecs, and once more to learn their figures."""
        return min(MAX_PROBE_BYTES, max(MIN_PROBE_BYTES, waiting // 3))

    def tables(self) -> bytes:
        """Return the tables of all programs."""
        return self._headers.programs.tables


class BoxStructure:
    """The boxes of an ISO media file, read into ``boxes``; any other format has no structure."""

    def __init__(self, boxes: IsoBoxes) -> None:
        self._boxes = boxes

    def take(self, chunk: bytes) -> list[Boundary]:
        """Read a chunk and return the places where another file begins."""
        return [Boundary(max(0, start)) for start in self._boxes.take(chunk)]

    def is_ready(self, waiting: int, seconds: float) -> bool:
        """Return whether anything is there: libav waits for the description of such a file itself."""
        del seconds
        return waiting > 0

    def probe_bytes(self, waiting: int) -> None:
        """Return None: such a file describes its tracks."""
        del waiting

    def tables(self) -> bytes:
        """Return nothing: the description stands in the file itself."""
        return b""


@dataclass
class _Piece:
    data: memoryview
    ends_part: bool = False
    next_prefix: bytes = b""


class PartReader:
    """Reads a byte source one part after the other; each part looks like a whole file.

    ``probe_bytes`` is how much a demuxer may read to learn the tracks without waiting for more.

    :param on_chunk: is called after each chunk that the structure has read.
    """

    def __init__(self, source: ByteSource, structure: Structure, on_chunk: Callable[[], None]) -> None:
        self.probe_bytes: int | None = None
        self._source = source
        self._structure = structure
        self._on_chunk = on_chunk
        self._parts = 0
        self._pieces: deque[_Piece] = deque()
        self._prefix = memoryview(b"")
        self._next_prefix = b""
        self._is_at_end = False
        # The offset in the source of the part's first byte, less what was put before it.
        self._base = 0
        self._taken = 0

    @property
    def has_next(self) -> bool:
        """Whether another part follows the bytes that are known."""
        return self._is_at_end or any(piece.ends_part for piece in self._pieces)

    def begin(self) -> bool:
        """Go to the start of the next part and wait until it can be opened; return False where nothing more comes."""
        while self._parts and not self._is_at_end and (piece := self._next_piece()):
            # The demuxer did not want the rest of the part before.
            self._taken += len(piece.data)
            piece.data = piece.data[:0]
        self._is_at_end = False
        self._parts += 1
        self._prefix, self._next_prefix = memoryview(self._next_prefix), b""
        self._base = self._taken - len(self._prefix)
        waiting = self._wait(time.monotonic() if self._parts > 1 else None)
        if not self._prefix and not self.has_next:
            # A demuxer that finds no tables in the bytes that it may read guesses at the tracks.
            self._prefix = memoryview(self._structure.tables())
            self._base -= len(self._prefix)
        self.probe_bytes = self._structure.probe_bytes(waiting)
        return waiting > 0 or self.has_next

    def _wait(self, began: float | None) -> int:
        """Wait until the part can be opened; return the number of its bytes that are there."""
        while True:
            waiting = self._waiting
            seconds = time.monotonic() - (began or self._source.first_byte or time.monotonic())
            is_ready = waiting > 0 and self._structure.is_ready(waiting, seconds)
            is_enough = self.has_next or waiting >= MAX_PROBE_BYTES or is_ready
            if is_enough or not self._fetch():
                return waiting

    @property
    def _waiting(self) -> int:
        waiting = 0
        for piece in self._pieces:
            waiting += len(piece.data)
            if piece.ends_part:
                break
        return waiting

    def _fetch(self) -> bool:
        """Take the next chunk from the source; return False at its end."""
        chunk = self._source.read(READ_BYTES)
        if not chunk:
            return False
        view, start = memoryview(chunk), 0
        for boundary in self._structure.take(chunk):
            if self._parts + sum(piece.ends_part for piece in self._pieces) < MAX_PARTS:
                self._pieces.append(_Piece(view[start : boundary.offset], True, boundary.prefix))
                start = boundary.offset
        self._pieces.append(_Piece(view[start:]))
        self._on_chunk()
        return True

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes of the part; none at its end."""
        if self._prefix:
            taken, self._prefix = self._prefix[:size], self._prefix[size:]
            return bytes(taken)
        piece = self._next_piece()
        if piece is None:
            return b""
        taken, piece.data = piece.data[:size], piece.data[size:]
        self._taken += len(taken)
        return bytes(taken)

    def _next_piece(self) -> _Piece | None:
        """Return the piece that holds the next byte of the part; None at its end."""
        while not self._is_at_end:
            if not self._pieces and not self._fetch():
                return None
            piece = self._pieces[0]
            if piece.data:
                return piece
            self._pieces.popleft()
            if piece.ends_part:
                self._is_at_end = True
                self._next_prefix = piece.next_prefix
        return None

    def offset(self, position: int | None) -> int:
        """Return the offset in the source of a packet at ``position`` of the part."""
        return self._source.offset(None if position is None or position < 0 else max(0, self._base + position))
