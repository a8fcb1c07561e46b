"""Keeps what StreamFlow stores small and whole. No limit's correctness waits for it."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task

from streamflow import names


@dag(
    dag_id=names.MAINTENANCE_DAG,
    description="Merges what the file store took while Redis was away, and prunes what is old",
    schedule=timedelta(minutes=15),
    max_active_runs=1,
    tags=["streamflow"],
    doc_md=__doc__,
)
def maintenance() -> None:
    @task(retries=1, retry_delay=timedelta(seconds=30))
    def tidy() -> dict[str, object]:
        from stream_tasks.upkeep import tidy

        return tidy()

    tidy()


maintenance()
