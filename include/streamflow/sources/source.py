"""What every source does."""

from __future__ import annotations

from typing import Protocol

from streamflow.udi.library import Snapshot


class Source(Protocol):
    """Where a library comes from. Its methods raise SourceError."""

    @property
    def name(self) -> str:
        """What it is, for people: no password stands in it."""

    def summary(self) -> str:
        """A line about what is there; proves that it can be read."""

    def fetch(self) -> Snapshot:
        """Everything there is."""

    def viewers(self) -> dict[int, int]:
        """Connections that people use now, by the id of the account's profile."""
