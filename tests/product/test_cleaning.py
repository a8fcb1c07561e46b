"""Old runs are removed from Airflow's database: tested on a copy of the running product's database."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream_tasks import cleaning
from support.running_product import Product

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420), pytest.mark.xdist_group("stack")]


def rows(database: Path, table: str) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - names of ours


def test_old_runs_are_removed_with_their_tasks_and_xcoms(product: Product, tmp_path: Path) -> None:
    product.check(channel_ids=[9], sample_seconds=1)
    shutil.copytree(product.home / "airflow", tmp_path / "airflow", ignore=shutil.ignore_patterns("logs", "*.db*"))
    copy = tmp_path / "airflow" / "airflow.db"
    with (
        closing(sqlite3.connect(product.home / "airflow" / "airflow.db")) as running,
        closing(sqlite3.connect(copy)) as to,
    ):
        running.backup(to)
    env = dict(product.stack.env) | {
        "AIRFLOW_HOME": str(copy.parent),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{copy}",
    }

    def clean(before: datetime) -> None:
        done = subprocess.run(cleaning.command(before), env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    before = {table: rows(copy, table) for table in ("dag_run", "task_instance", "xcom")}
    clean(datetime.now(UTC) - timedelta(days=1))
    assert {table: rows(copy, table) for table in before} == before
    assert min(before.values()) > 0

    clean(datetime.now(UTC) + timedelta(days=1))
    with closing(sqlite3.connect(copy)) as connection:
        manual = connection.execute("SELECT count(*) FROM dag_run WHERE run_type = 'manual'").fetchone()[0]
    assert manual == 0
    # The command logs itself.
    assert rows(copy, "log") <= 1
    # The last scheduled run of each DAG stays: Airflow computes the next one from it.
    assert rows(copy, "dag_run") <= rows(copy, "dag")
    assert rows(copy, "xcom") < before["xcom"]
    assert product.check(channel_ids=[9], sample_seconds=1)["verdicts"]
