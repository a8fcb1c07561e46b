"""Failures of a stream, and the channels that it was removed from."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class DeadMemory(BaseModel):
    """What is remembered about a stream's failures, and where it was removed from.

    ``removed_from`` maps a channel to the position the stream had there.
    """

    failures: int = 0
    first_dead: datetime | None = None
    last_alive: datetime | None = None
    removed_from: dict[int, int] = Field(default_factory=dict)
