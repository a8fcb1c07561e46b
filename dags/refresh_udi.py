"""Brings accounts, groups, channels and streams from Dispatcharr into the UDI."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Asset, Param, dag, task

from stream_tasks.schedule import schedules, timetable
from streamflow import names

SCHEDULE, ZONE = schedules()


@dag(
    dag_id=names.REFRESH_DAG,
    description="Brings accounts, groups, channels and streams from Dispatcharr into the UDI",
    schedule=timetable(SCHEDULE.refresh_udi, ZONE) if SCHEDULE.refresh_udi else None,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1, minutes=30),
    params={
        "force": Param(False, type="boolean", description="Accept a library that has lost most of its streams"),
    },
    tags=["streamflow"],
    doc_md=__doc__,
)
def refresh_udi() -> None:
    """Refresh the library."""

    @task(
        outlets=[Asset(names.UDI_ASSET)],
        retries=3,
        retry_delay=timedelta(seconds=20),
        execution_timeout=timedelta(minutes=20),
    )
    def refresh(params: dict[str, object] | None = None) -> dict[str, object]:
        """Return the numbers of records that the refresh added, changed and removed."""
        from stream_tasks.refresh import refresh

        return refresh(force=bool((params or {}).get("force")))

    refresh()


refresh_udi()
