"""``/workers/health``: the health of everything a check needs, for both executors."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from airflow.api.common.airflow_health import get_airflow_health
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict
from redis.exceptions import RedisError

from stream_checker.http.access import Reader
from stream_checker.http.problems import responses
from stream_checker.queries import workers
from stream_checker.resources import OpenRedis

router = APIRouter(tags=["workers"], dependencies=[Reader])


class WorkerHealth(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    queues: list[str]
    active: int
    capacity: int
    last_heartbeat: datetime | None


class PartHealth(BaseModel):
    """``status`` is null for a part that has never run here."""

    status: Literal["healthy", "unhealthy"] | None
    last_heartbeat: datetime | None = None


class RedisHealth(BaseModel):
    status: Literal["healthy", "unhealthy"]
    detail: str | None = None


class Health(BaseModel):
    """``unhealthy``: nothing can be checked; ``degraded``: checks are slower or wait."""

    status: Literal["healthy", "degraded", "unhealthy"]
    executor: str
    workers: list[WorkerHealth]
    scheduler: PartHealth
    triggerer: PartHealth
    dag_processor: PartHealth
    redis: RedisHealth


DESCRIBED = {503: {"model": Health, "description": "Nothing can be checked"}, **responses(401, 403)}


@router.get("/workers/health", responses=DESCRIBED)
@router.get("/celery/health", responses=DESCRIBED, name="celery_health")
def health(response: Response, redis: OpenRedis) -> Health:
    """Workers, scheduler, triggerer and Redis; 503 when nothing can be checked."""
    airflow = get_airflow_health()
    parts = {
        part: PartHealth(status=airflow[part]["status"], last_heartbeat=airflow[part][f"latest_{part}_heartbeat"])
        for part in ("scheduler", "triggerer", "dag_processor")
    }
    alive = [WorkerHealth.model_validate(worker) for worker in workers.workers()]
    state = _redis(redis)
    status: Literal["healthy", "degraded", "unhealthy"] = "healthy"
    if parts["scheduler"].status != "healthy" or not alive:
        status, response.status_code = "unhealthy", 503
    elif state.status != "healthy" or any(part.status != "healthy" for part in parts.values()):
        status = "degraded"
    return Health(status=status, executor=workers.executor(), workers=alive, redis=state, **parts)


def _redis(client: OpenRedis) -> RedisHealth:
    try:
        client.ping()
    except RedisError as error:
        return RedisHealth(status="unhealthy", detail=f"{type(error).__name__}: checks go one after another meanwhile")
    return RedisHealth(status="healthy")
