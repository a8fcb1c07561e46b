"""The workers behind Airflow's executor: who is there, how many tasks each takes, and how busy it is."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow.configuration import conf
from airflow.jobs.job import Job, JobState
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import func, select

# A worker that has not answered in this time is taken for gone; asked again after `KEPT_SECONDS` at the earliest.
ANSWER_SECONDS = 2.0
KEPT_SECONDS = 5.0
BROKER_SECONDS = 3.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """``capacity`` is the number of tasks it runs at once."""

    name: str
    queues: tuple[str, ...]
    active: int
    capacity: int
    last_heartbeat: datetime | None


def executor() -> str:
    """The name of the executor in Airflow's settings, without the module of one that is not Airflow's own."""
    return conf.get_mandatory_value("core", "executor").rpartition(".")[2]


def workers() -> list[Worker]:
    """The workers that are alive. May take a few seconds with Celery."""
    return _celery.workers() if "celery" in executor().lower() else _local()


def capacity() -> int:
    """The number of tasks that all workers run at once, at least 1."""
    return max(1, sum(worker.capacity for worker in workers()) or conf.getint("core", "parallelism"))


def _local() -> list[Worker]:
    # The schedulers run the tasks themselves.
    running = (
        select(TaskInstance.queued_by_job_id, func.count())
        .where(TaskInstance.state == TaskInstanceState.RUNNING)
        .group_by(TaskInstance.queued_by_job_id)
    )
    schedulers = select(Job).where(Job.job_type == SchedulerJobRunner.job_type, Job.state == JobState.RUNNING)
    with create_session() as session:
        active = {row[0]: row[1] for row in session.execute(running)}
        return [
            Worker(
                name=job.hostname or "",
                queues=(conf.get_mandatory_value("operators", "default_queue"),),
                active=active.get(job.id, 0),
                capacity=conf.getint("core", "parallelism"),
                last_heartbeat=job.latest_heartbeat,
            )
            for job in session.scalars(schedulers)
            if job.is_alive()
        ]


class _Celery:
    """Asks the workers over the broker, at most once in a few seconds whoever calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._workers: list[Worker] = []

    def workers(self) -> list[Worker]:
        with self._lock:
            if time.monotonic() - self._asked_at > KEPT_SECONDS:
                self._workers = self._ask()
                self._asked_at = time.monotonic()
            return self._workers

    def _ask(self) -> list[Worker]:
        from kombu.exceptions import OperationalError
        from redis.exceptions import RedisError

        app = self._app()
        try:
            stats = app.control.inspect(timeout=ANSWER_SECONDS).stats() or {}
            if not stats:
                return []
            # Once all that are there have answered, nobody else is waited for.
            known = app.control.inspect(destination=list(stats), timeout=ANSWER_SECONDS, limit=len(stats))
            active, queues = known.active() or {}, known.active_queues() or {}
        except (OperationalError, RedisError) as error:
            log.warning("no worker can be asked: the broker is away (%s)", type(error).__name__)
            return []
        return [
            Worker(
                name=name,
                queues=tuple(queue["name"] for queue in queues.get(name, ())),
                active=len(active.get(name, ())),
                capacity=int(told["pool"]["max-concurrency"]),
                last_heartbeat=datetime.now(UTC),
            )
            for name, told in sorted(stats.items())
        ]

    def _app(self) -> Any:
        # Not Airflow's own: it waits for a broker as long as a worker may, and a caller of the API may not.
        from airflow.providers.celery.executors.celery_executor import app
        from celery import Celery

        asker = Celery(set_as_current=False)
        asker.conf.update(app.conf)
        asker.conf.broker_transport_options = {
            **app.conf.broker_transport_options,
            "socket_connect_timeout": BROKER_SECONDS,
            "socket_timeout": BROKER_SECONDS,
        }
        return asker


_celery = _Celery()
