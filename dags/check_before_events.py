"""Checks a channel before a recording in Dispatcharr, or before a programme whose title fits: once for each event.

The settings are `schedule.before_events`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag, task

from stream_tasks.before_events import cron
from stream_tasks.schedule import schedules
from streamflow import names


@dag(
    dag_id=names.EVENTS_DAG,
    description=f"Starts {names.CHECK_DAG} before recordings and programmes",
    schedule=cron(schedules()[0].before_events),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={"retries": 1, "retry_delay": timedelta(seconds=20), "execution_timeout": timedelta(minutes=5)},
    tags=["streamflow"],
    doc_md=__doc__,
)
def check_before_events() -> None:
    """Start a run for each event that begins soon."""

    @task
    def runs() -> list[dict[str, Any]]:
        """Return the runs to start."""
        from stream_tasks.before_events import runs

        return runs()

    started = TriggerDagRunOperator.partial(
        task_id="start", trigger_dag_id=names.CHECK_DAG, skip_when_already_exists=True
    )
    started.expand_kwargs(runs())


check_before_events()
