"""Lets Airflow's scheduler rest while no task is due.

``scheduler_idle_sleep_time`` is a tenth of a second, because each check waits for it several times. Around the clock
that costs an eighth of a core. While nothing is due, the scheduler's loop runs every three seconds instead, and a cheap
query looks for new work in between.
"""

from __future__ import annotations

import time
from typing import Any, Final

from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

# Seconds between two rounds of a scheduler at rest, and between two looks for new work.
REST_SECONDS: Final = 3.0
LOOK_SECONDS: Final = 0.2
# Seconds that the scheduler stays fast after the last task: the next one of the same run may be due in a moment.
LINGER_SECONDS: Final = 5.0
# Deferred tasks are not among them: one that waits for a person may do so for days. Its trigger makes it SCHEDULED.
DUE: Final = (
    TaskInstanceState.SCHEDULED,
    TaskInstanceState.QUEUED,
    TaskInstanceState.RUNNING,
    TaskInstanceState.RESTARTING,
)


def is_work_due() -> bool:
    """Return whether Airflow's database holds a task that is due or running, or a run that waits for its start."""
    tasks = select(TaskInstance.id).where(TaskInstance.state.in_(DUE)).limit(1)
    runs = (
        select(DagRun.id)
        .join(DagModel, DagModel.dag_id == DagRun.dag_id)
        .where(DagRun.state == DagRunState.QUEUED, ~DagModel.is_paused)
        .limit(1)
    )
    try:
        with create_session() as session:
            return any(session.scalar(query) is not None for query in (tasks, runs))
    except SQLAlchemyError:
        # The scheduler's loop meets the same fault, and knows what to do.
        return True


class IdleSleep:
    """The attribute that the scheduler's loop reads before it sleeps.

    Reading it waits until work is due or the rest is over, because the loop offers no other place to wait.
    """

    def __init__(self) -> None:
        self._seconds = LOOK_SECONDS
        self._fast_until = 0.0

    def __set__(self, runner: SchedulerJobRunner, seconds: float) -> None:
        self._seconds = seconds

    def __get__(self, runner: SchedulerJobRunner | None, owner: type[Any]) -> float:
        rest_until = time.monotonic() + REST_SECONDS
        while not self._is_busy():
            if time.monotonic() >= rest_until:
                return 0.0
            time.sleep(LOOK_SECONDS)
        return self._seconds

    def _is_busy(self) -> bool:
        now = time.monotonic()
        if is_work_due():
            self._fast_until = now + LINGER_SECONDS
        return now < self._fast_until


def install() -> None:
    """Let the schedulers of this process rest while no task is due."""
    SchedulerJobRunner._scheduler_idle_sleep_time = IdleSleep()  # type: ignore[assignment]
