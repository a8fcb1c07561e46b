"""The undo of changes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamflow.errors import SourceConflict, UnknownRecord
from streamflow.ordering.undo import conflict, last_of_run, undo
from streamflow.records import ChannelChange, DeadMemory
from streamflow.sources.local_order import LocalOrder
from streamflow.udi.ports import Store
from support.library import NOW, stored


def change(before: tuple[int, ...], after: tuple[int, ...], **fields: Any) -> ChannelChange:
    known: dict[str, Any] = {"channel_id": 1, "run_id": "run", "at": NOW, "written": True}
    return ChannelChange(before=before, after=after, **(known | fields))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store in which a run has just moved stream 2 up and removed stream 3."""
    store = stored(tmp_path, {1: [2, 1]})
    store.results.remember_dead({3: DeadMemory(failures=2, removed_from={1: 2, 5: 0})})
    return store


def test_order_and_removed_streams_are_as_they_were(store: Store) -> None:
    destination = LocalOrder(store)
    undone = undo(store, destination, [change((1, 2, 3), (2, 1))], "undone by Ann")
    assert destination.order(1) == undone.after == (1, 2, 3)
    assert [(move.stream_id, move.before, move.after, move.why) for move in undone.moves] == [
        (1, 1, 0, "undone by Ann"),
        (2, 0, 1, "undone by Ann"),
        (3, None, 2, "undone by Ann"),
    ]
    # The stream is no longer removed from this channel, and still from another one.
    assert store.results.dead_memory([3])[3] == DeadMemory(failures=2, removed_from={5: 0})
    assert store.runs.changes(1) == [undone]


def test_a_stream_that_came_in_leaves_again_and_is_remembered(store: Store) -> None:
    undo(store, LocalOrder(store), [change((1,), (2, 1))], "undone")
    assert LocalOrder(store).order(1) == (1,)
    assert store.results.removed_streams(1) == {3: 2, 2: 0}


def test_several_changes_of_a_run_are_undone_together(store: Store) -> None:
    removal = change((2, 1, 3), (2, 1), at=NOW + timedelta(minutes=1))
    order = change((1, 2, 3), (2, 1, 3))
    other = change((3, 2, 1), (1, 2, 3), run_id="other")
    planned = change((1, 2), (2, 1), written=False)
    assert last_of_run([removal, planned, order, other], "run") == [removal, order]
    assert undo(store, LocalOrder(store), [removal, order], "undone").after == (1, 2, 3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([change((1, 2), (1, 2, 3))], "changed since"),
        ([change((1, 2), (2, 1), written=False)], "nothing to undo"),
        ([change((3, 1), (2, 1)), change((1, 2), (1, 3))], "between two changes"),
        ([change((1, 2), (2, 1), channel_id=9)], "does not exist"),
    ],
)
def test_a_channel_that_was_changed_since_stays(store: Store, changes: list[ChannelChange], reason: str) -> None:
    destination = LocalOrder(store)
    assert reason in (conflict(destination, changes) or "")
    with pytest.raises(SourceConflict, match=reason):
        undo(store, destination, changes, "undone")
    assert destination.order(1) == (2, 1)
    with pytest.raises(UnknownRecord):
        destination.order(9)
