"""Failures of a stream, and the channels that it was removed from."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from streamflow.records.record import Record


class DeadMemory(Record):
    """The consecutive failures of a stream, and the channels that it was removed from.

    ``removed_from`` maps each of these channels to the position that the stream had there.
    """

    failures: int = Field(0, description="Number of consecutive failures")
    first_dead: datetime | None = Field(None, description="Time of the first of them")
    last_alive: datetime | None = Field(None, description="Time of the last check that found the stream alive")
    removed_from: dict[int, int] = Field(
        default_factory=dict, description="Positions that the stream had, by the channels that it was removed from"
    )
