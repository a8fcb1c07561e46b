"""Asks a person before many dead streams leave their channels, and removes those that the person approves.

`check_streams` starts it when a run would remove more than `safety.max_removed_share` of the streams. The question
waits in Airflow's *Required actions* and on the page; it holds no worker and no slot.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from stream_tasks.removals import AskRemovals
from streamflow import names

# Airflow passes these to a task by the names of its arguments.
Injected = Any


@dag(
    dag_id=names.REMOVAL_DAG,
    description="Asks before many dead streams are removed from their channels",
    schedule=None,
    # Longer than the longest `safety.approval_hours`.
    dagrun_timeout=timedelta(days=32),
    params={
        "run_id": Param(type="string", description="Run that held the removals back"),
        "channels": Param(type="array", description="Channels with their streams that were held back"),
    },
    tags=["streamflow"],
    doc_md=__doc__,
)
def approve_removals() -> None:
    """Ask, and remove what was approved."""

    @task(retries=5, retry_delay=timedelta(seconds=30), execution_timeout=timedelta(minutes=30))
    def remove(answer: Injected, params: Injected = None) -> list[int]:
        """Return the channels that lost streams."""
        from stream_tasks.removals import apply

        return apply(params, answer)

    chosen = Param([], type="array", items={"type": "integer"}, description="Ids of the chosen channels")
    remove(AskRemovals(task_id="ask", params={"channel_ids": chosen}).output)


approve_removals()
