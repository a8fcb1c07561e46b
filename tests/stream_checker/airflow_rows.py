"""Rows of Airflow's database, for runs that no scheduler starts."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from streamflow import names

from .server import Server


@contextmanager
def airflow_run(
    server: Server,
    run_id: str,
    state: str,
    *,
    dag: str = names.CHECK_DAG,
    is_paused: bool = False,
    failed_task: str | None = None,
) -> Iterator[None]:
    """Let Airflow know a run and its DAG inside the block."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ")
    rows: list[tuple[str, dict[str, object]]] = [
        ("dag_bundle", {"name": "of-the-test", "active": 1}),
        (
            "dag",
            {"dag_id": dag, "is_paused": is_paused, "is_stale": False, "bundle_name": "of-the-test",
             "timetable_type": "", "partition_mapper_info": "{}", "max_active_tasks": 1,
             "max_consecutive_failed_dag_runs": 0,
             "has_task_concurrency_limits": False},
        ),
        (
            "dag_run",
            {"id": 10**6, "dag_id": dag, "run_id": run_id, "run_type": "manual", "run_after": now, "state": state,
             "end_date": now},
        ),
    ]  # fmt: skip
    if failed_task:
        task = {"id": uuid.uuid4().hex, "task_id": failed_task, "dag_id": dag, "run_id": run_id, "state": "failed",
                "try_number": 1, "pool": "default_pool", "pool_slots": 1}  # fmt: skip
        rows.append(("task_instance", task))
    with closing(sqlite3.connect(server.home / "airflow.db", timeout=30)) as database:
        with database:
            for table, row in rows:
                columns, marks = ", ".join(row), ", ".join("?" * len(row))
                database.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(row.values()))  # noqa: S608
        try:
            yield
        finally:
            with database:
                for table in ("task_instance", "dag_run", "dag"):
                    database.execute(f"DELETE FROM {table} WHERE dag_id = ?", [dag])  # noqa: S608
                database.execute("DELETE FROM dag_bundle WHERE name = 'of-the-test'")
