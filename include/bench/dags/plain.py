"""A DAG of plain tasks in the shape of a run: a plan, mapped tasks that only sleep, and a summary."""

from __future__ import annotations

import time

from airflow.sdk import Param, dag, task

from streamflow import names


@dag(
    dag_id="plain",
    schedule=None,
    params={"tasks": Param(10, type="integer"), "seconds": Param(30.0, type="number")},
    default_args={"retries": 2},
)
def plain() -> None:
    """Plan, sleep in mapped tasks, and summarise."""

    @task
    def plan(params: dict[str, int] | None = None) -> list[int]:
        return list(range((params or {})["tasks"]))

    @task(pool=names.CHECK_POOL)
    def wait(number: int, params: dict[str, float] | None = None) -> None:
        del number
        time.sleep((params or {})["seconds"])

    @task
    def summary() -> None:
        return None

    wait.expand(number=plan()) >> summary()


plain()
