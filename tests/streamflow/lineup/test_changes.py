from __future__ import annotations

from pathlib import Path

import pytest

from streamflow.errors import SourceConflict
from streamflow.lineup import changes
from streamflow.lineup.decisions import decisions
from streamflow.ordering.undo import last_of_run, undo
from streamflow.records import DeadMemory
from streamflow.udi.ports import Store
from support.edited_channels import EditedChannels
from support.library import stored, stream


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return stored(tmp_path, {1: [1, 2]}, streams=map(stream, (1, 2, 3, 4)))


def order(store: Store) -> tuple[int, ...]:
    channel = store.library.channel(1)
    assert channel
    return channel.stream_ids


def test_streams_come_behind_those_that_are_there(store: Store) -> None:
    channels = EditedChannels({1: (2, 1)})
    change = changes.add(store, channels, 1, {4: "the name fits", 3: "the tvg-id fits"}, "run")
    assert channels.orders[1] == change.after == order(store) == (2, 1, 4, 3)
    assert [(move.stream_id, move.before, move.why) for move in change.moves] == [
        (4, None, "the name fits"),
        (3, None, "the tvg-id fits"),
    ]
    assert {pair: decision.state for pair, decision in decisions(store).items()} == {(1, 3): "added", (1, 4): "added"}
    assert store.runs.changes(1) == [change]
    changes.add(store, channels, 1, {4: "the name fits", 3: "the tvg-id fits"}, "run")
    assert channels.orders[1] == (2, 1, 4, 3)
    assert store.runs.changes(1) == [change]


def test_an_edit_meanwhile_is_kept(store: Store) -> None:
    channels = EditedChannels({1: (1, 2)})
    channels.edits = [(2,)]
    assert changes.add(store, channels, 1, {3: "fits"}, "run").after == (2, 3)
    channels.edits = [(1,), (2,), (1, 2)]
    change = changes.add(store, channels, 1, {4: "fits"}, "run")
    assert not change.written
    assert change.conflict
    assert channels.orders[1] == (1,)


def test_an_added_stream_is_no_removed_one_any_more(store: Store) -> None:
    store.results.remember_dead({3: DeadMemory(failures=2, removed_from={1: 0})})
    changes.add(store, EditedChannels({1: (1, 2)}), 1, {3: "fits"}, "run")
    assert store.results.removed_streams(1) == {}


def test_undo_takes_added_streams_out_for_good(store: Store) -> None:
    channels = EditedChannels({1: (1, 2)})
    change = changes.add(store, channels, 1, {3: "fits"}, "run")
    undo(store, channels, [change], "undone by a test")
    assert channels.orders[1] == (1, 2)
    assert decisions(store)[1, 3].state == "taken_out"
    assert store.results.removed_streams(1) == {}


def test_a_hidden_channel_is_shown_again_by_undo(store: Store) -> None:
    channels = EditedChannels({1: (1, 2)})
    changes.set_hidden(store, channels, 1, "run", hidden=True)
    assert channels.hidden == {1: True}
    (change,) = last_of_run(store.runs.changes(1), "run")
    assert undo(store, channels, [change], "undone by a test").hidden is False
    assert channels.hidden == {1: False}
    channels.orders[1] = (1,)
    with pytest.raises(SourceConflict):
        undo(store, channels, [change], "undone by a test")
