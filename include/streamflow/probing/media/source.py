"""Where packets come from: the protocols that the analyzer needs of a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Source(Protocol):
    """A connection that delivers media. All times are monotonic, in seconds."""

    started: float
    deadline: float

    @property
    def bytes(self) -> int:
        """The number of bytes received so far."""

    @property
    def first_byte(self) -> float | None:
        """The time at which the first byte arrived."""

    @property
    def is_exhausted(self) -> bool:
        """Whether the last byte has been read, so that the last packet of each track may be cut short."""

    def offset(self, position: int | None) -> int:
        """Return the offset in the source of a packet that the demuxer found at ``position``."""

    def arrived(self, offset: int) -> float:
        """Return the time at which the byte at ``offset`` arrived."""


class ByteSource(Source, Protocol):
    """A source that is read as one file of bytes."""

    on_wait: Callable[[], None]

    @property
    def is_whole(self) -> bool:
        """Whether the sender closed the stream in good order and every byte of it has been read."""

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
