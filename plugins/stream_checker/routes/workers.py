"""``/workers/health``: the health of all parts that a check needs, for local and Celery executors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from airflow.api.common.airflow_health import get_airflow_health
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from redis import Redis
from redis.exceptions import RedisError

from account_limiter import Limiter, LimiterUnavailable
from stream_checker.http.access import Reader
from stream_checker.http.problems import responses
from stream_checker.queries import workers
from stream_checker.resources import OpenLimiter, OpenRedis
from streamflow import faults, names
from streamflow.probing.isolation import memory

router = APIRouter(tags=["workers"], dependencies=[Reader])


class WorkerHealth(BaseModel):
    """A worker that is alive."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="Name of the worker", examples=["celery@worker-1"])
    queues: list[str] = Field(description="Queues that it takes tasks from")
    active: int = Field(description="Number of tasks that it runs now")
    capacity: int = Field(description="Number of tasks that it can run at the same time")
    last_heartbeat: datetime | None = Field(description="Time of its last sign of life")


class ComponentHealth(BaseModel):
    """A component of Airflow."""

    status: Literal["healthy", "unhealthy"] | None = Field(description="Null when the component never ran here")
    last_heartbeat: datetime | None = Field(default=None, description="Time of its last sign of life")


class RedisHealth(BaseModel):
    """Redis."""

    status: Literal["healthy", "unhealthy"] = Field(description="Whether Redis replies")
    detail: str | None = Field(default=None, description="Consequence of an error; null when Redis is healthy")


class WaitersHealth(BaseModel):
    """The checks that wait for a slot."""

    status: Literal["healthy", "unhealthy"] | None = Field(description="Null while Redis is unavailable")
    waiting: int = Field(default=0, description="Number of waiting checks")
    unattended: int = Field(default=0, description="Number of waiting checks that no triggerer asks for")
    oldest_at: datetime | None = Field(default=None, description="Time since which the oldest check has waited")
    detail: str | None = Field(default=None, description="Consequence of an error; null when there is none")


class SourceHealth(BaseModel):
    """The source of channels and streams, as the last refresh of the library found it."""

    status: Literal["healthy", "unhealthy"] = Field(description="Whether the last refresh succeeded")
    detail: str | None = Field(default=None, description="Reason of its failure, with what to do; null without one")


class MemoryHealth(BaseModel):
    """The memory of the container that this server runs in, or of its machine."""

    status: Literal["healthy", "degraded"] = Field(description="Whether the memory has sufficed so far")
    limit_bytes: int = Field(description="Bytes that all processes together may use")
    kills: int = Field(description="Number of processes that the kernel has ended for want of memory")
    detail: str | None = Field(default=None, description="What to do about it; null when nothing was ended")


class Health(BaseModel):
    """The health of all parts that a check needs."""

    status: Literal["healthy", "degraded", "unhealthy"] = Field(
        description="`unhealthy`: nothing can be checked; `degraded`: checks are slower or wait"
    )
    executor: str = Field(description="Airflow's executor", examples=["CeleryExecutor"])
    workers: list[WorkerHealth] = Field(description="Workers that are alive")
    scheduler: ComponentHealth = Field(description="Airflow's scheduler")
    triggerer: ComponentHealth = Field(description="Airflow's triggerer, which resumes waiting checks")
    dag_processor: ComponentHealth = Field(description="Airflow's DAG processor")
    redis: RedisHealth = Field(description="Redis, which holds the limits and the UDI")
    waiters: WaitersHealth = Field(description="The checks that wait for a slot")
    source: SourceHealth = Field(description="Dispatcharr, the panel or the playlist, at the last refresh")
    memory: MemoryHealth = Field(description="The memory of this server's container, which the lite container shares")


DESCRIBED = {503: {"model": Health, "description": "Nothing can be checked"}, **responses(401, 403)}


@router.get("/workers/health", responses=DESCRIBED)
@router.get("/celery/health", responses=DESCRIBED, name="celery_health")
def get_health(response: Response, redis: OpenRedis, limiter: OpenLimiter) -> Health:
    """Return the health of all parts that a check needs; 503 when nothing can be checked."""
    airflow = get_airflow_health()
    components = {
        name: ComponentHealth(status=airflow[name]["status"], last_heartbeat=airflow[name][f"latest_{name}_heartbeat"])
        for name in ("scheduler", "triggerer", "dag_processor")
    }
    alive = [WorkerHealth.model_validate(worker) for worker in workers.workers()]
    redis_health, waiters = _redis_health(redis), _waiters_health(limiter)
    fault = faults.reason_of(redis, names.REFRESH_DAG)
    source = SourceHealth(status="unhealthy" if fault else "healthy", detail=fault)
    found = {part.status for part in components.values()} | {redis_health.status, waiters.status, source.status}
    status: Literal["healthy", "degraded", "unhealthy"] = "healthy"
    if components["scheduler"].status != "healthy" or not alive:
        status, response.status_code = "unhealthy", 503
    elif found != {"healthy"}:
        status = "degraded"
    return Health(
        status=status,
        executor=workers.executor(),
        workers=alive,
        redis=redis_health,
        waiters=waiters,
        source=source,
        memory=_memory_health(),
        **components,
    )


def _memory_health() -> MemoryHealth:
    limit, kills = memory.limit_bytes(), memory.kills()
    if not kills:
        return MemoryHealth(status="healthy", limit_bytes=limit, kills=0)
    detail = f"ended for want of memory: {kills} processes. Raise WORKER_MEMORY, or lower WORKER_CONCURRENCY"
    return MemoryHealth(status="degraded", limit_bytes=limit, kills=kills, detail=detail)


def _redis_health(redis: Redis) -> RedisHealth:
    try:
        redis.ping()
    except RedisError as error:
        detail = f"{type(error).__name__}: streams are checked one after another until Redis is back"
        return RedisHealth(status="unhealthy", detail=detail)
    return RedisHealth(status="healthy")


def _waiters_health(limiter: Limiter) -> WaitersHealth:
    try:
        queue = limiter.queue()
    except LimiterUnavailable as error:
        return WaitersHealth(status=None, detail=str(error))
    oldest_at = datetime.fromtimestamp(queue.oldest_at, UTC) if queue.oldest_at else None
    return WaitersHealth(
        status="unhealthy" if queue.unattended else "healthy",
        waiting=queue.waiting,
        unattended=queue.unattended,
        oldest_at=oldest_at,
        detail="no triggerer asks for these checks, so they get no slot" if queue.unattended else None,
    )
