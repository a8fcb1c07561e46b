"""Changes of a channel: the moves of its streams."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel


class Move(BaseModel):
    """One stream's change of place in a channel (positions from 0; None = not in the channel)."""

    stream_id: int
    before: int | None
    after: int | None
    why: str


class ChannelChange(BaseModel):
    """The change of a channel by a run; ``written`` is false for a change that was only planned.

    ``stays`` holds the moves that the rules prevented, with the reasons. ``held`` lists the dead streams that leave the
    channel once the run is known to remove few enough streams.
    """

    channel_id: int
    run_id: str | None = None
    at: datetime
    before: tuple[int, ...]
    after: tuple[int, ...]
    moves: tuple[Move, ...] = ()
    stays: tuple[Move, ...] = ()
    held: tuple[int, ...] = ()
    written: bool = False
    conflict: str | None = None

    @property
    def is_news(self) -> bool:
        """Whether there is anything to tell: an order that was right already would drive the others out of the log."""
        return self.before != self.after or self.conflict is not None
