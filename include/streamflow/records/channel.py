"""Channels and the groups that channels and streams belong to."""

from __future__ import annotations

from streamflow.records.record import Record


class Group(Record):
    """A group of channels or streams."""

    id: int
    name: str


class Channel(Record):
    """A channel and its alternative streams, best first."""

    id: int
    name: str
    number: float | None = None
    group_id: int | None = None
    uuid: str | None = None
    stream_ids: tuple[int, ...] = ()
