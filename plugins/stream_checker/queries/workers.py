"""The workers behind Airflow's executor: their names, capacity and load."""

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

# A Celery worker that does not reply in this time counts as gone.
REPLY_SECONDS = 2.0
CACHE_SECONDS = 5.0
BROKER_TIMEOUT_SECONDS = 3.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """A worker.

    :param queues: queues that it takes tasks from.
    :param active: number of tasks that it runs now.
    :param capacity: number of tasks that it can run at the same time.
    :param last_heartbeat: time of its last sign of life.
    """

    name: str
    queues: tuple[str, ...]
    active: int
    capacity: int
    last_heartbeat: datetime | None


def executor() -> str:
    """Return the class name of the executor in Airflow's settings."""
    return conf.get_mandatory_value("core", "executor").rpartition(".")[2]


def workers() -> list[Worker]:
    """Return the workers that are alive. With Celery, this may take a few seconds."""
    return _celery.workers() if "celery" in executor().lower() else _local_workers()


def capacity() -> int:
    """Return the number of tasks that all workers can run at the same time, at least 1."""
    return max(1, sum(worker.capacity for worker in workers()) or conf.getint("core", "parallelism"))


def _local_workers() -> list[Worker]:
    """Return the schedulers, which run the tasks themselves with a local executor."""
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


class _CeleryWorkers:
    """Queries the Celery workers over the broker, at most once in ``CACHE_SECONDS``. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queried_at = float("-inf")
        self._workers: list[Worker] = []

    def workers(self) -> list[Worker]:
        """Return the workers that replied to the last query."""
        with self._lock:
            if time.monotonic() - self._queried_at > CACHE_SECONDS:
                self._workers = self._query()
                self._queried_at = time.monotonic()
            return self._workers

    def _query(self) -> list[Worker]:
        from kombu.exceptions import OperationalError
        from redis.exceptions import RedisError

        app = self._app()
        try:
            stats = app.control.inspect(timeout=REPLY_SECONDS).stats() or {}
            if not stats:
                return []
            # The limit ends the wait as soon as all workers that replied before have replied again.
            inspect = app.control.inspect(destination=list(stats), timeout=REPLY_SECONDS, limit=len(stats))
            active, queues = inspect.active() or {}, inspect.active_queues() or {}
        except (OperationalError, RedisError) as error:
            log.warning("the broker is unavailable, so no worker can be queried: %s", type(error).__name__)
            return []
        return [
            Worker(
                name=name,
                queues=tuple(queue["name"] for queue in queues.get(name, ())),
                active=len(active.get(name, ())),
                capacity=int(worker_stats["pool"]["max-concurrency"]),
                last_heartbeat=datetime.now(UTC),
            )
            for name, worker_stats in sorted(stats.items())
        ]

    def _app(self) -> Any:
        """Return a Celery app with short broker timeouts; Airflow's own waits longer than a caller of the API can."""
        from airflow.providers.celery.executors.celery_executor import app
        from celery import Celery

        client = Celery(set_as_current=False)
        client.conf.update(app.conf)
        client.conf.broker_transport_options = {
            **app.conf.broker_transport_options,
            "socket_connect_timeout": BROKER_TIMEOUT_SECONDS,
            "socket_timeout": BROKER_TIMEOUT_SECONDS,
        }
        return client


_celery = _CeleryWorkers()
