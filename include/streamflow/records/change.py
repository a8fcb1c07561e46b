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
    """The change of a channel when it was finished.

    ``written`` is false when the change was only computed and not written to the source. ``conflict`` says why it
    could not be written. ``stays`` holds the moves that the rules prevented, with the reasons. ``held`` lists the dead
    streams that leave the channel once the run is known to remove few enough streams.
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
        """Return whether the change belongs into the channel's log, which has room for few changes."""
        return self.before != self.after or self.conflict is not None
