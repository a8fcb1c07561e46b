"""Cleaning: what Airflow's database keeps of old runs is removed once a day, by ``airflow db clean``.

Only where ``STREAMFLOW_AIRFLOW_KEEP_DAYS`` is set, as in StreamFlow's own deployments: another Airflow's records are
not StreamFlow's to remove. Schedulers do it, in a process of its own: a task has no access to the database.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.listeners import hookimpl

from streamflow_stack import airflow

log = logging.getLogger(__name__)

# A scheduler that has just started has more urgent things to do.
FIRST_SECONDS = 600.0
EVERY_SECONDS = 86_400.0
# So that no deletion keeps others from writing for long.
BATCH_ROWS = 5000


def command(before: datetime) -> list[str]:
    """What removes the records from before a moment, with all that hangs on them, and keeps no copies."""
    options = [
        "--clean-before-timestamp",
        before.isoformat(),
        "--batch-size",
        str(BATCH_ROWS),
        "--skip-archive",
        "--yes",
    ]
    return [airflow.executable(), "db", "clean", *options, "--error-on-cleanup-failure"]


def clean(days: float) -> None:
    """Remove what is older; what could not be removed is told in the log, and tried again the next day."""
    began = time.monotonic()
    done = subprocess.run(command(datetime.now(UTC) - timedelta(days=days)), capture_output=True, text=True)
    if done.returncode:
        log.error("airflow db clean ended with status %d: %s", done.returncode, (done.stdout + done.stderr)[-2000:])
    else:
        log.info("Airflow's records older than %g days are removed, in %.1f s", days, time.monotonic() - began)


@hookimpl
def on_starting(component: Any) -> None:
    if getattr(component, "job_type", None) == "SchedulerJob" and (days := airflow.keep_days()):
        threading.Thread(target=_daily, args=(days,), name="cleaning", daemon=True).start()


def _daily(days: float) -> None:
    time.sleep(FIRST_SECONDS)
    while True:
        clean(days)
        time.sleep(EVERY_SECONDS)
