"""Entries of the Redis streams as events, and entries that cannot be read."""

from __future__ import annotations

import json

import pytest

from stream_checker.events.entries import (
    LIMITER_EVENTS,
    SOURCES,
    START,
    UDI_EVENTS,
    UnreadableEntry,
    event_id,
    parse_event_id,
    read_entry,
)

UDI, LIMITER = SOURCES.index(UDI_EVENTS), SOURCES.index(LIMITER_EVENTS)


def test_an_entry_of_the_udi_is_an_event_of_its_type() -> None:
    event = read_entry(UDI, {b"type": b"channel", b"json": b'{"channel_id": 1}'}, START)
    assert (event.name, json.loads(event.data)) == ("run", {"channel_id": 1})


def test_an_entry_of_the_limiter_carries_the_labels_of_its_lease() -> None:
    fields = {b"kind": b"released", b"lease_id": b"a", b"account_id": b"1", b"info": b'{"stream_id": 4}'}
    event = read_entry(LIMITER, fields, START)
    assert event.name == "lease"
    assert json.loads(event.data) == {"kind": "released", "lease_id": "a", "stream_id": 4}
    expected = {"kind": "released", "lease_id": "a"}
    for labels in (b"", b'{"kind": "other"}'):
        assert json.loads(read_entry(LIMITER, fields | {b"info": labels}, START).data) == expected


def test_the_data_of_an_event_is_one_line_without_control_characters() -> None:
    event = read_entry(UDI, {b"type": b"result", b"json": '{"name": "\\u001b\\n\u202e"}'.encode()}, START)
    assert event.data.isprintable()
    assert json.loads(event.data) == {"name": "\x1b\n\u202e"}


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        (UDI, {}),
        (UDI, {b"type": b"result"}),
        (UDI, {b"type": b"result\nevent: lease", b"json": b"{}"}),
        (UDI, {b"type": b"result", b"json": b"the panel says 3"}),
        (UDI, {b"type": b"result", b"json": b"[1]"}),
        (UDI, {b"type": b"result", b"json": b'{"score": NaN}'}),
        (UDI, {b"type": b"result", b"json": b'{"score": ' + b"9" * 5000 + b"}"}),
        (UDI, {b"type": b"result", b"json": b"[" * 100_000}),
        (LIMITER, {b"kind": b"claimed", b"lease_id": b"a", b"info": b"the panel says max_connections 3"}),
        (LIMITER, {b"kind": b"claimed", b"lease_id": b"a", b"info": b"\xff"}),
    ],
)
def test_an_entry_of_another_form_is_unreadable(source: int, fields: dict[bytes, bytes]) -> None:
    with pytest.raises(UnreadableEntry):
        read_entry(source, fields, START)


def test_an_event_id_encodes_the_position_in_both_streams() -> None:
    position = ((1, 2), (3, 4))
    assert event_id(position) == "1-2_3-4"
    assert parse_event_id("1-2_3-4") == position
    for text in (None, "", "nonsense", "1-2", "1-2_3-4_5-6", f"{'9' * 19}-0_0-0", "-1-2_3-4"):
        assert parse_event_id(text) is None
