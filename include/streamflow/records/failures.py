"""Failures of a stream, and its relation to channels that it is not in."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from streamflow.records.decision import Decision
from streamflow.records.record import Record


class DeadMemory(Record):
    """The consecutive failures of a stream, the channels that it was removed from, and those that it may belong to.

    ``removed_from`` maps each of the first to the position that the stream had there, ``decisions`` each of the others
    to the decision about the stream.
    """

    failures: int = Field(0, description="Number of consecutive failures")
    first_dead: datetime | None = Field(None, description="Time of the first of them")
    last_alive: datetime | None = Field(None, description="Time of the last check that found the stream alive")
    returned_at: datetime | None = Field(
        None, description="Time of the refresh that brought the dead stream back after it had left its provider"
    )
    removed_from: dict[int, int] = Field(
        default_factory=dict, description="Positions that the stream had, by the channels that it was removed from"
    )
    decisions: dict[int, Decision] = Field(
        default_factory=dict, description="Decisions about the stream as a candidate, by channel"
    )

    def has_returned_since(self, checked_at: datetime) -> bool:
        """Return whether a refresh has brought the stream back after a check."""
        return self.returned_at is not None and self.returned_at > checked_at
