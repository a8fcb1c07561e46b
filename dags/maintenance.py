"""Merges, prunes and compacts StreamFlow's own data. No limit depends on it."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task

from streamflow import names


@dag(
    dag_id=names.MAINTENANCE_DAG,
    description="Merges the writes that the file store took while Redis was away, and prunes old data",
    schedule=timedelta(minutes=15),
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    tags=["streamflow"],
    doc_md=__doc__,
)
def maintenance() -> None:
    """Merge and prune."""

    @task(retries=1, retry_delay=timedelta(seconds=30), execution_timeout=timedelta(minutes=25))
    def tidy() -> dict[str, object]:
        """Return the numbers of merged and pruned records."""
        from stream_tasks.upkeep import tidy

        return tidy()

    tidy()


maintenance()
