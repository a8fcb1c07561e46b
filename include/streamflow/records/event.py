"""Events: recordings and programmes before which a channel is checked."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from streamflow.records.record import Record
from streamflow.records.text import Sentence


class Event(Record):
    """A recording or a programme of a channel."""

    kind: Literal["recording", "programme"] = Field(description="Kind of the event")
    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    starts_at: datetime = Field(description="Start of the event")
    title: Sentence = Field("", description="Title of the event", examples=["Derby"])
