"""Changes of a channel: the moves of its streams."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from streamflow.records.record import Record
from streamflow.records.text import Sentence


class Move(Record):
    """One stream's change of place in a channel (positions from 0; None = not in the channel)."""

    stream_id: int = Field(description="Id of the stream in Dispatcharr")
    before: int | None = Field(description="Position before, from 0; null when it was not in the channel")
    after: int | None = Field(description="Position after, from 0; null when it left the channel")
    why: Sentence = Field(description="Reason of the move")


class ChannelChange(Record):
    """The change of a channel when it was finished.

    ``written`` is false when the change was only computed and not written to the source. ``conflict`` says why it
    could not be written. ``hidden`` is set by a change that hid the channel, or showed it again. ``stays`` holds the
    moves that the rules prevented, with the reasons. ``held`` lists the dead streams that leave the channel once the
    run is known to remove few enough streams.
    """

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    run_id: str | None = Field(None, description="Id of the run in Airflow")
    at: datetime = Field(description="Time of the change")
    before: tuple[int, ...] = Field(description="Ids of the streams in the order before")
    after: tuple[int, ...] = Field(description="Ids of the streams in the order after")
    moves: tuple[Move, ...] = Field((), description="Moves of streams")
    stays: tuple[Move, ...] = Field((), description="Moves that the rules prevented")
    held: tuple[int, ...] = Field((), description="Ids of dead streams whose removal awaits approval")
    written: bool = Field(False, description="Whether the change was written to the source")
    hidden: bool | None = Field(
        None, description="True when the channel was hidden from outputs, false when it was shown again; else null"
    )
    conflict: Sentence | None = Field(None, description="Reason why the change could not be written")

    @property
    def is_news(self) -> bool:
        """Return whether the change belongs into the channel's log, which keeps few changes."""
        return self.before != self.after or self.conflict is not None or self.hidden is not None
