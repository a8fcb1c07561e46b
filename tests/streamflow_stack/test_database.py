"""Airflow's commands prepare the database only when something is to be done."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from streamflow.config import Config
from streamflow.names import CHECK_POOL
from streamflow_stack import airflow, database, pools
from streamflow_stack.database import prepare, stored_pools
from streamflow_stack.processes import StackError

SETTINGS = Config()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a folder for Airflow."""
    (tmp_path / "airflow").mkdir()
    return tmp_path


def store(home: Path, stored: dict[str, dict[str, object]]) -> None:
    """Write pools as Airflow does."""
    with closing(sqlite3.connect(airflow.database_file(home))) as connection:
        connection.execute("CREATE TABLE slot_pool (pool TEXT, slots INT, description TEXT, include_deferred BOOLEAN)")
        connection.execute("CREATE TABLE job (id INT, state TEXT, latest_heartbeat TEXT, end_date TEXT)")
        for name, pool in stored.items():
            row = (name, pool["slots"], pool["description"], pool["include_deferred"])
            connection.execute("INSERT INTO slot_pool VALUES (?, ?, ?, ?)", row)
        connection.commit()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands of Airflow that are called, none of which runs."""
    called: list[str] = []
    monkeypatch.setattr(database, "_run", lambda arguments, env, log: called.append(" ".join(arguments[:2])))
    return called


def test_a_new_home_gets_tables_and_pools(home: Path, commands: list[str]) -> None:
    store(home, {})
    prepare(home, {}, SETTINGS)
    assert commands == ["db migrate", "pools import"]


def test_the_parts_that_a_crash_ended_are_marked_as_ended_before_the_next_start(
    home: Path, commands: list[str]
) -> None:
    store(home, pools.pools(SETTINGS))
    with closing(sqlite3.connect(airflow.database_file(home))) as connection:
        jobs = [(1, "running", "12:00", None), (2, "success", "11:00", "11:00"), (3, "failed", "10:00", "10:30")]
        connection.executemany("INSERT INTO job VALUES (?, ?, ?, ?)", jobs)
        connection.commit()
        prepare(home, {}, SETTINGS)
        assert connection.execute("SELECT id, state, end_date FROM job ORDER BY id").fetchall() == [
            (1, "failed", "12:00"),
            (2, "success", "11:00"),
            (3, "failed", "10:30"),
        ]


def test_a_prepared_home_needs_no_command(home: Path, commands: list[str]) -> None:
    store(home, pools.pools(SETTINGS))
    prepare(home, {}, SETTINGS)
    prepare(home, {}, SETTINGS)
    assert commands == ["db migrate"]


def test_another_auth_manager_gets_its_tables(home: Path, commands: list[str]) -> None:
    store(home, pools.pools(SETTINGS))
    prepare(home, {}, SETTINGS)
    for _ in range(2):
        prepare(home, {airflow.AUTH_MANAGER_VARIABLE: "company.AuthManager"}, SETTINGS)
    assert commands == ["db migrate", "db migrate"]


@pytest.mark.parametrize(
    "damage", [lambda wanted: wanted.pop(CHECK_POOL), lambda wanted: wanted[CHECK_POOL].update(slots=1)]
)
def test_a_missing_or_changed_pool_is_made_again(
    home: Path, commands: list[str], damage: Callable[[dict[str, dict[str, object]]], object]
) -> None:
    wanted = pools.pools(SETTINGS)
    damage(wanted)
    store(home, wanted)
    prepare(home, {}, SETTINGS)
    assert commands == ["db migrate", "pools import"]


def test_a_failed_command_is_reported_with_its_log(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = home / "airflow-command"
    program.write_text("#!/bin/sh\necho no database\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setattr(airflow, "executable", lambda: str(program))
    with pytest.raises(StackError, match=r"airflow db migrate failed; the end of .*database.log:\nno database"):
        prepare(home, {}, SETTINGS)
    assert not (home / "airflow" / "migrated").exists()


def test_pools_are_read_as_airflow_stores_them(home: Path) -> None:
    store(home, pools.pools(SETTINGS))
    assert stored_pools(airflow.database_file(home)) == pools.pools(SETTINGS)
