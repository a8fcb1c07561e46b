"""Entries of the Redis streams of the UDI and the limiter, read as the events that clients receive."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from account_limiter import events_key
from streamflow.udi.redis.keys import EVENTS as UDI_EVENTS

LIMITER_EVENTS = events_key()
SOURCES = (UDI_EVENTS, LIMITER_EVENTS)
# A finished channel is a step of its run.
UDI_NAMES = {"progress": "progress", "result": "result", "run": "run", "channel": "run"}

# A position in one Redis stream is the time and the sequence number of an entry.
StreamPosition = tuple[int, int]
# A position in both streams, in the order of SOURCES.
Position = tuple[StreamPosition, StreamPosition]
START: Position = ((0, 0), (0, 0))

_EVENT_ID = re.compile(r"(\d{1,18})-(\d{1,18})_(\d{1,18})-(\d{1,18})")


class UnreadableEntry(ValueError):
    """An entry that does not have the expected fields, or whose data is not a JSON object."""


@dataclass(frozen=True)
class Event:
    """An event as clients receive it.

    :param name: ``lease``, ``progress``, ``result`` or ``run``.
    :param data: JSON object on one line.
    :param source: index in :data:`SOURCES` of the stream that it comes from.
    :param position: position in both streams after the event.
    """

    name: str
    data: str
    source: int
    position: Position

    @property
    def id(self) -> str:
        """The event's id, which a client sends back as ``Last-Event-ID``."""
        return event_id(self.position)


def event_id(position: Position) -> str:
    """Return the event id of a position."""
    return "_".join(f"{time}-{sequence}" for time, sequence in position)


def parse_event_id(text: str | None) -> Position | None:
    """Return the position of an event id; None when it is no id of this server."""
    match = _EVENT_ID.fullmatch(text or "")
    if not match:
        return None
    a, b, c, d = map(int, match.groups())
    return (a, b), (c, d)


def read_entry(source: int, fields: Mapping[bytes, bytes], position: Position) -> Event:
    """Return an entry of a Redis stream as an event.

    :param source: index of the stream in :data:`SOURCES`.
    :param position: position in both streams after the entry.
    :raises UnreadableEntry: when the entry has not the expected form.
    """
    try:
        if SOURCES[source] == UDI_EVENTS:
            name, data = UDI_NAMES[fields[b"type"].decode()], _json_object(fields[b"json"])
        else:
            details = {"kind": fields[b"kind"].decode(), "lease_id": fields[b"lease_id"].decode()}
            name, data = "lease", _json_object(fields[b"info"] or b"{}") | details
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    except (KeyError, ValueError, RecursionError) as error:
        raise UnreadableEntry(f"{type(error).__name__}: {error}") from error
    return Event(name, text, source, position)


def _json_object(text: bytes) -> dict[str, object]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
