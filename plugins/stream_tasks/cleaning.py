"""Removes old runs from Airflow's database once a day, with ``airflow db clean``.

It works only where ``STREAMFLOW_AIRFLOW_KEEP_DAYS`` is set, as in StreamFlow's own deployments: the records of another
Airflow are not StreamFlow's to remove. The scheduler starts the command in a process of its own, because tasks have no
access to the database.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.listeners import hookimpl

from streamflow import retention

log = logging.getLogger(__name__)

# A scheduler that has just started has more urgent work.
FIRST_SECONDS = 600.0
EVERY_SECONDS = 86_400.0
# The tables that grow with the runs. Others refer to the rows of DAGs, which are few.
TABLES = (
    "asset_event",
    "callback",
    "dag_run",
    "deadline",
    "import_error",
    "job",
    "log",
    "revoked_token",
    "task_instance",
    "task_instance_history",
    "task_reschedule",
    "trigger",
    "xcom",
)
# A larger batch would keep other writers waiting.
BATCH_ROWS = 5000


def command(before: datetime) -> list[str]:
    """Return the command that removes all records from before a moment and archives none."""
    options = [
        "--clean-before-timestamp",
        before.isoformat(),
        "--tables",
        ",".join(TABLES),
        "--batch-size",
        str(BATCH_ROWS),
        "--skip-archive",
        "--yes",
    ]
    return [sys.executable, "-m", "airflow", "db", "clean", *options, "--error-on-cleanup-failure"]


def clean(days: float) -> None:
    """Remove records that are older than ``days``; a failure is logged, and the next day's call tries again."""
    began = time.monotonic()
    done = subprocess.run(command(datetime.now(UTC) - timedelta(days=days)), capture_output=True, text=True)
    if done.returncode:
        log.error("airflow db clean ended with status %d: %s", done.returncode, (done.stdout + done.stderr)[-2000:])
    else:
        log.info("Removed Airflow's records older than %g days in %.1f s", days, time.monotonic() - began)


@hookimpl
def on_starting(component: Any) -> None:
    """Start the daily cleaning in a scheduler."""
    if getattr(component, "job_type", None) == "SchedulerJob" and (days := retention.keep_days()):
        threading.Thread(target=_daily, args=(days,), name="cleaning", daemon=True).start()


def _daily(days: float) -> None:
    time.sleep(FIRST_SECONDS)
    while True:
        clean(days)
        time.sleep(EVERY_SECONDS)
