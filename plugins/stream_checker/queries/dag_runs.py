"""Runs of the checks in Airflow: started and stopped. Only the API server may do so: it opens Airflow's database."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow.api.common.trigger_dag import trigger_dag
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.exceptions import DagNotFound
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType
from pydantic import BaseModel, Field
from redis import Redis
from sqlalchemy import func, or_, select, update

from stream_checker.http.problems import Problem
from streamflow import faults, names

STOP_EVENT = "streamflow_stop"
# States in which a task still has something to do. A task without a state is not scheduled yet.
UNFINISHED = (
    TaskInstanceState.SCHEDULED,
    TaskInstanceState.QUEUED,
    TaskInstanceState.RUNNING,
    TaskInstanceState.RESTARTING,
    TaskInstanceState.DEFERRED,
    TaskInstanceState.UP_FOR_RETRY,
    TaskInstanceState.UP_FOR_RESCHEDULE,
)


def start_check(conf: Mapping[str, Any], user: BaseUser) -> tuple[str, bool]:
    """Start a run of the checks.

    :returns: the id of the run, and whether the DAG is paused, so that the run waits.
    :raises Problem: 503 while Airflow does not know the DAG.
    """
    run_id = f"manual__{datetime.now(UTC).isoformat()}"
    try:
        trigger_dag(
            names.CHECK_DAG,
            triggered_by=DagRunTriggeredByType.REST_API,
            triggering_user_name=user.get_name(),
            run_id=run_id,
            conf=dict(conf),
        )
    except DagNotFound:
        detail = f"Airflow has not loaded the DAG {names.CHECK_DAG} yet. Try again in a moment."
        raise Problem(503, detail, headers={"Retry-After": "10"}) from None
    with create_session(scoped=False) as session:
        is_paused = session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == names.CHECK_DAG))
    return run_id, bool(is_paused)


@dataclass(frozen=True)
class DagStates:
    """What Airflow knows about the DAGs.

    :param paused: the checks are paused.
    :param next_check: the next start of a schedule of checks that is not paused.
    :param next_schedule: the name of that schedule.
    :param refresh_failed_at: the end of the last refresh, if it failed.
    """

    paused: bool = False
    next_check: datetime | None = None
    next_schedule: str | None = None
    refresh_failed_at: datetime | None = None


def dag_states(schedules: Collection[str]) -> DagStates:
    """Return the states of the DAGs.

    :param schedules: the names of the schedules of checks.
    """
    scheduling = {names.schedule_dag(name): name for name in schedules}
    with create_session(scoped=False) as session:
        paused = session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == names.CHECK_DAG))
        starts = select(DagModel.dag_id, DagModel.next_dagrun_create_after).where(
            DagModel.dag_id.in_(scheduling), ~DagModel.is_paused, DagModel.next_dagrun_create_after.is_not(None)
        )
        following = session.execute(starts.order_by(DagModel.next_dagrun_create_after).limit(1)).first()
        ended = (DagRunState.SUCCESS, DagRunState.FAILED)
        refreshes = select(DagRun.state, DagRun.end_date).where(
            DagRun.dag_id == names.REFRESH_DAG, DagRun.state.in_(ended)
        )
        last = session.execute(refreshes.order_by(DagRun.id.desc()).limit(1)).first()
    failed_at = last.end_date if last and last.state == DagRunState.FAILED else None
    if following is None:
        return DagStates(bool(paused), refresh_failed_at=failed_at)
    return DagStates(bool(paused), following.next_dagrun_create_after, scheduling[following.dag_id], failed_at)


class AirflowRun(BaseModel):
    """A run of the checks as Airflow knows it."""

    state: str | None = Field(
        description="State in Airflow: `queued`, `running`, `success` or `failed`; null for an unknown run"
    )
    paused: bool = Field(description="Whether the DAG of the checks is paused, so that none of its tasks starts")
    failed_tasks: dict[str, int] = Field(description="Number of failed task instances by task", examples=[{"plan": 1}])
    reason: str | None = Field(description="Reason why the plan failed; null when it did not, or is not known")


def airflow_run(redis: Redis, run_id: str) -> AirflowRun:
    """Return the state of a run in Airflow, and why it failed."""
    own = (TaskInstance.dag_id == names.CHECK_DAG, TaskInstance.run_id == run_id)
    with create_session(scoped=False) as session:
        state = session.scalar(select(DagRun.state).where(DagRun.dag_id == names.CHECK_DAG, DagRun.run_id == run_id))
        paused = session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == names.CHECK_DAG))
        failed = select(TaskInstance.task_id, func.count()).where(*own, TaskInstance.state == TaskInstanceState.FAILED)
        tasks = {row[0]: row[1] for row in session.execute(failed.group_by(TaskInstance.task_id))}
    return AirflowRun(
        state=None if state is None else str(state),
        paused=bool(paused),
        failed_tasks=tasks,
        reason=faults.reason_of(redis, run_id),
    )


def stop_checks(run_id: str, user: BaseUser, *, is_planned: bool) -> int | None:
    """Skip all tasks of a run that have not ended. The summary of a planned run stays and finishes the channels.

    Airflow ends the processes of skipped tasks that are running.

    :returns: the number of skipped tasks; None for a run that Airflow does not know.
    """
    kept = [names.SUMMARY_TASK] if is_planned else []
    with create_session(scoped=False) as session:
        known = select(DagRun.id).where(DagRun.dag_id == names.CHECK_DAG, DagRun.run_id == run_id)
        if session.scalar(known) is None:
            return None
        unfinished = (
            TaskInstance.dag_id == names.CHECK_DAG,
            TaskInstance.run_id == run_id,
            TaskInstance.task_id.not_in(kept),
            or_(TaskInstance.state.is_(None), TaskInstance.state.in_(UNFINISHED)),
        )
        skipped = session.scalars(
            update(TaskInstance)
            .where(*unfinished)
            .values(state=TaskInstanceState.SKIPPED, end_date=datetime.now(UTC))
            .returning(TaskInstance.id)
            .execution_options(synchronize_session=False)
        ).all()
        record = Log(STOP_EVENT, dag_id=names.CHECK_DAG, run_id=run_id, owner=user.get_id())
        record.owner_display_name = user.get_name()
        record.extra = json.dumps({"skipped_tasks": len(skipped)})
        session.add(record)
        return len(skipped)
