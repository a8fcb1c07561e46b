"""Health checks of the parts of a deployment, as cheap as a container's health check has to be.

Each check returns a sentence about the fault, or None when there is none. No check loads Airflow, which would take two
seconds of CPU.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from streamflow import config
from streamflow.errors import StreamFlowError
from streamflow_stack import airflow, redis_address

# Airflow's own bound; a part sends its heartbeat to Airflow's database every five seconds.
SILENCE_SECONDS = 30.0
RESPONSE_SECONDS = 5.0
DEFAULT_PORT = 8080

# The type of the job that each part of Airflow runs, by the part's command.
JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
_QUERY = Path(__file__).with_name("latest_heartbeat.sql")

Check = Callable[[str, Mapping[str, str]], str | None]


class Unreachable(StreamFlowError):
    """A server that a health check needs does not respond; the message names it."""


def job(part: str, host: str, env: Mapping[str, str]) -> str | None:
    """Check the heartbeat of a part of Airflow in Airflow's database.

    :param host: the name of the part's host in that database.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    address = _required(env, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    options = {"connect_args": {"connect_timeout": int(RESPONSE_SECONDS)}} if address.startswith("postgresql") else {}
    try:
        with create_engine(address, poolclass=NullPool, **options).connect() as connection:
            latest = connection.execute(text(_QUERY.read_text()), {"type": JOBS[part], "host": host}).scalar()
    except SQLAlchemyError as error:
        raise Unreachable(f"Airflow's database: {type(error).__name__}") from error
    if latest is None:
        return f"no {part} runs on {host}"
    age = (datetime.now(UTC) - latest).total_seconds()
    return f"the {part} on {host} has been silent for {age:.0f} s" if age > SILENCE_SECONDS else None


def worker(host: str, env: Mapping[str, str]) -> str | None:
    """Check that the Celery worker ``celery@host`` responds over the broker."""
    from celery import Celery
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    client = Celery(broker=_required(env, "AIRFLOW__CELERY__BROKER_URL"), set_as_current=False)
    client.conf.broker_transport_options = {
        "socket_connect_timeout": RESPONSE_SECONDS,
        "socket_timeout": RESPONSE_SECONDS,
    }
    name = f"celery@{host}"
    try:
        responses = client.control.inspect(destination=[name], timeout=RESPONSE_SECONDS, limit=1).ping()
    except (OperationalError, RedisError, OSError) as error:
        raise Unreachable(f"Celery's broker: {type(error).__name__}") from error
    return None if responses and name in responses else f"{name} does not respond"


def api_server(host: str, env: Mapping[str, str]) -> str | None:
    """Check that the API server responds and reaches its database."""
    return _unhealthy(_airflow(host, env), ("metadatabase",))


def stack(host: str, env: Mapping[str, str]) -> str | None:
    """Check every part of Airflow, and the Redis that the tasks use."""
    from redis.exceptions import RedisError

    if redis := redis_address.locate(env, config.home()):
        try:
            with redis.client() as client:
                client.ping()
        except RedisError as error:
            raise Unreachable(f"Redis: {type(error).__name__}") from error
    return _unhealthy(_airflow(host, env), ("metadatabase", "scheduler", "triggerer", "dag_processor"))


def _airflow(host: str, env: Mapping[str, str]) -> Mapping[str, Mapping[str, object]]:
    port = env.get("AIRFLOW__API__PORT") or DEFAULT_PORT
    address = f"http://{host}:{port}{airflow.path_prefix(env)}/api/v2/monitor/health"
    try:
        with urllib.request.urlopen(address, timeout=RESPONSE_SECONDS) as response:
            health: Mapping[str, Mapping[str, object]] = json.load(response)
    except (OSError, ValueError) as error:
        raise Unreachable(f"{address}: {error}") from error
    return health


def _unhealthy(health: Mapping[str, Mapping[str, object]], parts: tuple[str, ...]) -> str | None:
    unhealthy = [part for part in parts if (health.get(part) or {}).get("status") != "healthy"]
    return f"not healthy: {', '.join(unhealthy)}" if unhealthy else None


def _required(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise Unreachable(f"{name} is not set, and the check finds the server by it")
    return env[name]
