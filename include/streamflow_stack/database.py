"""Airflow's database of the embedded stack: its tables and pools."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from importlib import metadata
from pathlib import Path

from streamflow import config
from streamflow_stack import airflow
from streamflow_stack.pools import pools
from streamflow_stack.processes import PRIVATE, StackError, tail

_END_JOBS = Path(__file__).with_name("end_jobs.sql")


def prepare(home: Path, env: Mapping[str, str], settings: config.Config) -> None:
    """Bring the tables up to the installed version of Airflow and make the pools.

    It must end before the API server starts: over SQLite, a request that makes a pool and a task that reports its
    state block each other.

    :raises StackError: A command of Airflow failed.
    """
    log = home / "logs" / "database.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    # Airflow's commands take seconds even when there is nothing to do.
    file, stamp = airflow.database_file(home), home / "airflow" / "migrated"
    # An auth manager may have tables of its own.
    version = f"{metadata.version('apache-airflow')} {env.get(airflow.AUTH_MANAGER_VARIABLE, '')}".strip()
    if not file.exists() or not stamp.exists() or stamp.read_text() != version:
        _run(["db", "migrate"], env, log)
        stamp.write_text(version)
    end_jobs(file)
    wanted, stored = pools(settings), stored_pools(file)
    if any(stored.get(name) != pool for name, pool in wanted.items()):
        listed = home / "airflow" / "pools.json"
        listed.write_text(json.dumps(wanted))
        _run(["pools", "import", str(listed)], env, log)


def end_jobs(database: Path) -> None:
    """Mark the parts of Airflow that a crash ended as ended.

    A scheduler adopts the tasks of another one only after it has been silent for half a minute. Nothing of the last
    stack is alive when the next one starts, so its tasks and waiters need not wait.
    """
    with closing(sqlite3.connect(database, timeout=airflow.DATABASE_SECONDS)) as connection, connection:
        connection.execute(_END_JOBS.read_text())


def stored_pools(database: Path) -> dict[str, dict[str, object]]:
    """Return the pools in a SQLite database of Airflow, in the form of :func:`streamflow_stack.pools.pools`."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT pool, slots, description, include_deferred FROM slot_pool").fetchall()
    return {
        name: {"slots": slots, "description": description, "include_deferred": bool(include_deferred)}
        for name, slots, description, include_deferred in rows
    }


def _run(arguments: list[str], env: Mapping[str, str], log: Path) -> None:
    command = [airflow.executable(), *arguments]
    with log.open("ab") as output:
        done = subprocess.run(command, env=dict(env), stdout=output, stderr=output, umask=PRIVATE)
    if done.returncode:
        raise StackError(f"airflow {' '.join(arguments[:2])} failed; the end of {log}:\n{tail(log)}")
