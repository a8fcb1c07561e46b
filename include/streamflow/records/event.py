"""Events: recordings and programmes before which a channel is checked."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from streamflow.records.record import Record
from streamflow.records.text import Sentence


class Event(Record):
    """A recording or a programme of a channel."""

    kind: Literal["recording", "programme"]
    channel_id: int
    starts_at: datetime
    title: Sentence = ""
