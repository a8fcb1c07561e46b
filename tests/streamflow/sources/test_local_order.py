"""The UDI keeps the order of sources that keep none."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from redis import Redis

from streamflow.config import Config, DeadStreams
from streamflow.errors import SourceConflict, UnknownRecord
from streamflow.ordering.finish import finish
from streamflow.records import Channel
from streamflow.sources.local_order import LocalOrder
from streamflow.udi import open_udi
from streamflow.udi.snapshot import Snapshot
from support.library import result, stored, stream


def listed(**channels: tuple[int, ...]) -> Snapshot:
    """Return a library as a source lists it."""
    ids = {i for order in channels.values() for i in order}
    return Snapshot(
        accounts=[],
        groups=[],
        streams=[stream(i) for i in ids],
        channels=[Channel(id=int(key[1:]), name=key, stream_ids=order) for key, order in channels.items()],
    )


def orders(snapshot: Snapshot) -> dict[int, tuple[int, ...]]:
    return {channel.id: channel.stream_ids for channel in snapshot.channels}


def test_an_order_outlives_the_next_refresh(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: (1, 2, 3)})
    LocalOrder(store).write_order(1, (1, 2, 3), (3, 1, 2))
    assert orders(LocalOrder(store).arranged(listed(c1=(1, 2, 3), c2=(4, 5)))) == {1: (3, 1, 2), 2: (4, 5)}


def test_new_streams_come_last_and_missing_ones_leave(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: (3, 2, 1)})
    assert orders(LocalOrder(store).arranged(listed(c1=(9, 1, 3)))) == {1: (3, 1, 9)}


def test_a_stream_that_the_policy_removed_stays_out_until_it_works_again(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: (1, 2)})
    settings = Config(dead_streams=DeadStreams(action="remove", after_failures=1))
    store.runs.settle("no run", result(1, "dead"))
    store.runs.settle("no run", result(2))
    change = finish(store, LocalOrder(store), 1, "run", settings)
    assert (change.written, change.after) == (True, (2,))
    source = listed(c1=(1, 2))
    assert orders(LocalOrder(store).arranged(source)) == {1: (2,)}
    store.publish(LocalOrder(store).arranged(source), force=True)
    store.runs.settle("no run", result(1, at=result(1).checked_at.replace(year=2027)))
    assert set(finish(store, LocalOrder(store), 1, "next run", settings).after) == {1, 2}


def test_an_order_that_changed_meanwhile_is_a_conflict(tmp_path: Path) -> None:
    destination = LocalOrder(stored(tmp_path, {1: (1, 2)}))
    with pytest.raises(SourceConflict):
        destination.write_order(1, (2, 1), (1, 2))
    with pytest.raises(UnknownRecord):
        destination.order(9)


def test_an_order_written_during_a_refresh_is_not_lost(tmp_path: Path, redis_client: Redis) -> None:
    store, checks = open_udi(redis_client, tmp_path), open_udi(redis_client, tmp_path)
    store.publish(listed(c1=(1, 2, 3)))
    began, writing = threading.Event(), threading.Event()

    def write() -> None:
        began.wait()
        writing.set()
        LocalOrder(checks).write_order(1, (1, 2, 3), (3, 1, 2))

    def arranged(snapshot: Snapshot) -> Snapshot:
        library = LocalOrder(store).arranged(snapshot)
        began.set()
        # An order that did not wait for the refresh would be written within this time.
        assert writing.wait(5)
        writer.join(0.3)
        return library

    writer = threading.Thread(target=write)
    writer.start()
    store.publish(listed(c1=(1, 2, 3), c2=(4,)), over=arranged)
    writer.join()
    assert [channel.stream_ids for channel in store.library.channels()] == [(3, 1, 2), (4,)]
