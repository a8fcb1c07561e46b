"""The end of a run: dead streams leave their channels, unless they are too many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from streamflow.checking.finishing import finish_ready, finish_run, remove_approved
from streamflow.checking.outages import Outages
from streamflow.config import Config
from streamflow.records import Run
from streamflow.sources import Destination
from streamflow.sources.local_order import LocalOrder
from streamflow.udi.ports import Store
from support.library import NOW, result, stored
from support.memory_marks import MemoryMarks

SETTINGS = Config.model_validate({"dead_streams": {"action": "remove", "after_failures": 2}})
CHANNELS = {channel: tuple(range(channel * 10, channel * 10 + 5)) for channel in (1, 2)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return stored(tmp_path, CHANNELS)


def ran(store: Store, night: int, dead_ids: set[int], *, write_back: bool = True) -> dict[int, tuple[int, ...]]:
    """Check every stream in one run, and return the orders of the channels."""

    @contextmanager
    def destination() -> Iterator[Destination | None]:
        yield LocalOrder(store) if write_back else None

    run_id = f"night {night}"
    stream_ids = tuple(stream for streams in CHANNELS.values() for stream in streams)
    at = NOW + timedelta(days=night)
    store.runs.open(
        Run(run_id=run_id, started_at=at, mode="concurrent", stream_ids=stream_ids, channels=dict(CHANNELS))
    )
    for stream in stream_ids:
        verdict = "dead" if stream in dead_ids else "ok"
        channels = store.runs.settle(run_id, result(stream, verdict, at=at, run_id=run_id))
        finish_ready(store, destination, channels, run_id, SETTINGS)
    finish_run(store, destination, Outages(store, MemoryMarks(), SETTINGS.safety, run_id), SETTINGS)
    return {channel.id: channel.stream_ids for channel in store.library.channels()}


def test_a_few_dead_streams_are_removed_at_the_end_of_the_run(store: Store) -> None:
    ran(store, 1, {10, 20})
    assert ran(store, 2, {10, 20}) == {1: (11, 12, 13, 14), 2: (21, 22, 23, 24)}
    assert ran(store, 3, set()) == {1: (11, 12, 13, 14, 10), 2: (21, 22, 23, 24, 20)}


def test_an_outage_over_two_nights_removes_no_stream(store: Store) -> None:
    everything = {stream for streams in CHANNELS.values() for stream in streams}
    for night in (1, 2, 3):
        assert ran(store, night, everything) == CHANNELS
    state = store.runs.state("night 3")
    assert state
    assert {channel: len(change.held) for channel, change in state.finished_channels.items()} == {1: 4, 2: 4}


def test_one_removal_too_many_stops_all_of_them(store: Store) -> None:
    ran(store, 1, {10, 20, 21})
    orders = ran(store, 2, {10, 20, 21})
    assert {channel: set(order) for channel, order in orders.items()} == {i: set(s) for i, s in CHANNELS.items()}


def test_a_run_that_only_plans_removes_nothing(store: Store) -> None:
    ran(store, 1, {10}, write_back=False)
    assert ran(store, 2, {10}, write_back=False) == CHANNELS
    state = store.runs.state("night 2")
    assert state
    assert state.finished_channels[1].after == (11, 12, 13, 14)


@contextmanager
def approving(store: Store) -> Iterator[Destination | None]:
    yield LocalOrder(store)


def order(store: Store, channel_id: int) -> tuple[int, ...]:
    channel = store.library.channel(channel_id)
    return channel.stream_ids if channel else ()


def test_approved_streams_leave_and_those_of_other_channels_stay(store: Store) -> None:
    dead = {10, 11, 12, 20, 21, 22}
    for night in (1, 2):
        ran(store, night, dead)
    approved = {1: [10, 11, 12]}
    changed = remove_approved(store, lambda: approving(store), approved, "night 2", SETTINGS)
    assert (changed, order(store, 1)) == ([1], (13, 14))
    assert set(order(store, 2)) == set(CHANNELS[2])
    state = store.runs.state("night 2")
    assert state
    assert {channel: change.held for channel, change in state.finished_channels.items() if change.held}.keys() == {2}


def test_a_channel_in_which_more_streams_died_since_is_asked_for_again(store: Store) -> None:
    for night in (1, 2):
        ran(store, night, {10, 11, 12})
    for night in (3, 4):
        ran(store, night, {10, 11, 12, 13})
    assert remove_approved(store, lambda: approving(store), {1: [10, 11, 12]}, "night 2", SETTINGS) == []
    assert set(order(store, 1)) == set(CHANNELS[1])


def test_a_stream_that_works_again_stays_although_its_removal_was_approved(store: Store) -> None:
    for night in (1, 2):
        ran(store, night, {10, 11, 12, 20, 21})
    ran(store, 3, {10, 11, 20, 21})
    assert remove_approved(store, lambda: approving(store), {1: [10, 11, 12]}, "night 2", SETTINGS) == [1]
    assert order(store, 1) == (13, 14, 12)
    assert remove_approved(store, lambda: approving(store), {1: [10, 11, 12], 99: [1]}, "night 2", SETTINGS) == []
