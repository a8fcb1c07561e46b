"""Reading of data that the present version and former versions stored.

``states/`` holds by layout the data that ``begin_run`` and ``finish_run`` of the tests of the fallback put into each
store. A change of the stored form needs a new layout and a migration, and keeps these files.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from streamflow.udi import open_udi
from streamflow.udi.ports import Store
from streamflow.udi.redis.keys import LAYOUT as REDIS_LAYOUT
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.sqlite.database import LAYOUT as FILE_LAYOUT
from streamflow.udi.sqlite.store import FileStore
from support.udi_records import NOW, change, result

STATES = Path(__file__).parent / "states"


def file_of(layout: int, home: Path) -> FileStore:
    """Return a file store over a file of a layout."""
    file = home / "udi" / "udi.db"
    file.parent.mkdir()
    with sqlite3.connect(file) as db:
        db.executescript((STATES / f"file_{layout}.sql").read_text())
    return FileStore(file)


def restore(redis: Redis, state: int, **changed: bytes) -> None:
    """Put the state of a layout into Redis."""
    known: dict[str, Any] = json.loads((STATES / f"redis_{state}.json").read_text())
    read = base64.b64decode
    for key, (kind, value) in known.items():
        match kind:
            case "string":
                redis.set(key, read(value))
            case "hash":
                redis.hset(key, mapping={read(field): read(each) for field, each in value})
            case "set":
                redis.sadd(key, *map(read, value))
            case "zset":
                redis.zadd(key, {read(member): score for member, score in value})
            case "list":
                redis.rpush(key, *map(read, value))
    for name, value in changed.items():
        redis.set(f"{{streamflow}}:udi:{name}", value)


def assert_known(store: Store) -> None:
    assert [account.name for account in store.library.accounts()] == ["One", "Two"]
    assert [(channel.id, channel.stream_ids) for channel in store.library.channels()] == [(1, (11,)), (2, (11, 12))]
    assert store.library.stream_ids() == [10, 11, 12]
    assert store.results.history(10) == [result(10, "dead", reason="no_data")]
    assert store.results.latest(12) == result(12, minutes=2)
    assert store.results.streams_of_verdict("dead") == [10]
    assert store.results.removed_streams(1) == {10: 0}
    assert store.results.dead_memory([10])[10].first_dead == NOW
    assert store.runs.newest() == ["next", "run"]
    finished = store.runs.state("run")
    assert finished
    assert (finished.summary, finished.streams) == ({"channels": 2}, {10: "dead", 11: "ok", 12: "ok"})
    assert store.runs.unsettled_streams("next") == [12]
    assert store.runs.changes(1) == [change(1)]


@pytest.mark.parametrize("layout", [2, 3, 4])
def test_a_file_of_each_layout_is_read(tmp_path: Path, layout: int) -> None:
    assert_known(file_of(layout, tmp_path))


def test_redis_of_the_present_layout_is_read(redis_client: Redis) -> None:
    restore(redis_client, 2)
    store = RedisStore(redis_client)
    assert store.is_filled()
    assert_known(store)


def test_redis_of_a_former_layout_is_filled_from_the_file(redis_client: Redis, tmp_path: Path) -> None:
    restore(redis_client, 2, layout=b"1", account=b"written in another way", runs_of_old=b"of no use any more")
    file_of(2, tmp_path)
    udi = open_udi(redis_client, tmp_path)
    assert_known(udi)
    udi.merge()
    assert_known(RedisStore(redis_client))
    assert not redis_client.exists("{streamflow}:udi:runs_of_old")


def test_the_present_layouts_are_among_the_states() -> None:
    assert (STATES / f"file_{FILE_LAYOUT}.sql").exists()
    assert (STATES / f"redis_{REDIS_LAYOUT}.json").exists()
