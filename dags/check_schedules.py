"""Starts `check_streams` by the schedules in the settings, one DAG for each entry of `schedule.checks`.

Airflow reads the settings with this file, so that a changed entry is in force within two minutes, without a restart.
The history of an entry that was removed stays. Pause a DAG to suspend its schedule.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag, task

from stream_tasks.schedule import schedules, timetable
from streamflow import names
from streamflow.config import CheckSchedule

# Airflow passes these to a task by the names of its arguments.
Injected = Any
SCHEDULE, ZONE = schedules()


def scheduled(entry: CheckSchedule) -> None:
    """Make the DAG of one schedule."""

    @dag(
        dag_id=names.schedule_dag(entry.name),
        description=f"Starts {names.CHECK_DAG} by the schedule {entry.name}",
        schedule=timetable(entry.cron, ZONE),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=25),
        default_args={"retries": 2, "retry_delay": timedelta(seconds=30), "execution_timeout": timedelta(minutes=5)},
        tags=["streamflow"],
        doc_md=__doc__,
    )
    def check_schedule() -> None:
        @task.sensor(mode="reschedule", poke_interval=60, timeout=24 * 3600)
        def quiet(dag_run: Injected = None) -> bool:
            """Return whether few enough people watch; between two looks no worker is held."""
            from stream_tasks.schedule import may_start

            return may_start(entry.name, dag_run.run_after)

        @task
        def runs(dag_run: Injected = None) -> list[dict[str, Any]]:
            """Return the run to start."""
            from stream_tasks.schedule import runs

            return runs(entry.name, dag_run.run_after)

        started = TriggerDagRunOperator.partial(
            task_id="start", trigger_dag_id=names.CHECK_DAG, skip_when_already_exists=True
        )
        planned = runs()
        if entry.only_if_viewers_below is not None:
            quiet() >> planned
        started.expand_kwargs(planned)

    check_schedule()


for one in SCHEDULE.checks:
    scheduled(one)
