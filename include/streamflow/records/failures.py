"""Failures of a stream, and the channels that it was removed from."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class DeadMemory(BaseModel):
    """The consecutive failures of a stream, and the channels that it was removed from.

    ``removed_from`` maps each of these channels to the position that the stream had there.
    """

    failures: int = 0
    first_dead: datetime | None = None
    last_alive: datetime | None = None
    removed_from: dict[int, int] = Field(default_factory=dict)
