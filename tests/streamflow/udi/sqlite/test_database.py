"""The SQLite file of the file store."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from importlib import resources
from pathlib import Path

import pytest

from streamflow.errors import UdiUnavailable
from streamflow.udi.sqlite import database
from streamflow.udi.sqlite.store import FileStore
from support.udi_records import library, planned, result


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home" / "udi.db")
    store.publish(library())
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "home").iterdir()} == {0o600}


def test_a_file_of_a_newer_layout_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "udi.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(UdiUnavailable, match="newer StreamFlow"):
        FileStore(tmp_path / "udi.db").library.stream_ids()


def test_a_file_without_a_layout_number_is_replaced(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "udi.db") as db:
        db.execute("CREATE TABLE result (old TEXT)")
        db.execute("CREATE TABLE journal (number INTEGER PRIMARY KEY AUTOINCREMENT)")
    store = FileStore(tmp_path / "udi.db")
    store.runs.settle("no run", result(10))
    assert store.results.history(10) == [result(10)]


def test_a_file_of_a_former_layout_keeps_its_data(tmp_path: Path) -> None:
    FileStore(tmp_path / "udi.db").runs.settle("no run", result(10))
    with sqlite3.connect(tmp_path / "udi.db") as db:
        for table in ("gone", "run_twin", "playback"):
            db.execute(f"DROP TABLE {table}")
        db.execute(f"PRAGMA user_version = {database.FORMER[0]}")
    store = FileStore(tmp_path / "udi.db")
    store.runs.open(planned())
    store.publish(library())
    assert store.results.history(10) == [result(10)]
    assert sqlite3.connect(tmp_path / "udi.db").execute("PRAGMA user_version").fetchone() == (database.LAYOUT,)


def test_a_new_file_and_a_migrated_one_have_the_same_tables() -> None:
    scripts = resources.files("streamflow.udi.sqlite")
    whole = scripts.joinpath("store.sql").read_text()
    for former in database.FORMER:
        for statement in scripts.joinpath(f"migration_{former}.sql").read_text().split(";"):
            assert statement[statement.index("CREATE") :].strip() in whole


def test_a_nested_transaction_is_a_part_of_the_outer_one(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "udi.db")
    with pytest.raises(RuntimeError), store.writing():
        store.runs.settle("no run", result(10))
        store.note("settle", "{}")
        raise RuntimeError
    assert store.results.latest(10) is None
    assert store.journal() == []
    store.runs.settle("no run", result(11))
    assert FileStore(tmp_path / "udi.db").results.latest(11) == result(11)


def test_threads_that_open_a_new_file_at_once_wait_for_each_other(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    failures: list[Exception] = []

    def use(file: Path) -> None:
        together.wait()
        try:
            FileStore(file).runs.settle("no run", result(10))
        except UdiUnavailable as error:
            failures.append(error)

    for attempt in range(10):
        file = tmp_path / str(attempt) / "udi.db"
        threads = [threading.Thread(target=use, args=(file,)) for _ in range(together.parties)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def _record(store: FileStore, stream_id: int) -> None:
    for minutes in range(20):
        store.runs.settle("no run", result(stream_id, minutes=minutes))


def test_processes_forked_from_one_that_used_the_file_write_side_by_side(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "udi.db")
    assert store.library.stream_ids() == []
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_record, args=(store, stream_id)) for stream_id in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert [len(store.results.history(stream_id)) for stream_id in range(3)] == [20, 20, 20]
