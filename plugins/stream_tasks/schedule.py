"""The schedules of the DAGs."""

from __future__ import annotations

from streamflow import config, names


def schedule(dag_id: str) -> str | None:
    """Return the cron expression of a DAG; None where its schedule is off.

    Airflow reads it at each parse of the DAG, so that a change needs no restart.
    """
    schedules = config.load().schedule
    return {names.CHECK_DAG: schedules.check_streams, names.REFRESH_DAG: schedules.refresh_udi}[dag_id] or None
