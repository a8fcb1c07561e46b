"""Channels and the groups that channels and streams belong to."""

from __future__ import annotations

from pydantic import Field

from streamflow.records.record import Record
from streamflow.records.text import Name, Word


class Group(Record):
    """A group of channels or streams."""

    id: int = Field(description="Id of the group in Dispatcharr")
    name: Name = Field(description="Name of the group")


class Channel(Record):
    """A channel and its alternative streams, best first.

    ``is_hidden`` marks a channel that its source leaves out of every output.
    """

    id: int
    name: Name
    number: float | None = None
    group_id: int | None = None
    uuid: Word | None = None
    stream_ids: tuple[int, ...] = ()
    own_name: Name | None = Field(
        default=None, description="Name that a user's override hides; Dispatcharr's events use it"
    )
    tvg_id: Name | None = None
    is_hidden: bool = False
