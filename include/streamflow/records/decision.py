"""Decisions about a stream as a candidate of a channel."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import Field

from streamflow.records.record import Record
from streamflow.records.text import Sentence, Word

DecisionState = Literal["proposed", "added", "rejected", "taken_out"]


class Decision(Record):
    """What is decided about a stream as a candidate of a channel.

    Matching proposes a stream and adds it. A person rejects it, or takes it out of the channel; matching then never
    adds it again by itself.
    """

    state: DecisionState = Field(description="`proposed`, `added`, `rejected` or `taken_out`")
    at: datetime = Field(description="Time of the decision")
    why: Sentence = Field("", description="Reason of the proposal")
    asked_by: Word | None = Field(None, description="Id of the run that asks a person for approval")

    @property
    def keeps_out(self) -> bool:
        """Return whether the stream stays out of the channel until a person adds it."""
        return self.state in KEPT_OUT


KEPT_OUT: Final = frozenset({"rejected", "taken_out"})
