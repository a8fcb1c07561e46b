"""Whether one part of a deployment is alive, asked as cheaply as a container's health check has to be.

Each function answers what is wrong, or None when nothing is. They do not load Airflow: that takes two seconds of CPU.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from streamflow.errors import StreamFlowError
from streamflow.udi.redis.client import from_env

# A part tells Airflow's database every five seconds that it lives; Airflow's own bound.
SILENCE_SECONDS = 30.0
ANSWER_SECONDS = 5.0

# The job that each part of Airflow runs, by the part's command.
JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
_QUERY = Path(__file__).with_name("latest_heartbeat.sql")


class Unanswered(StreamFlowError):
    """What a health check asks does not answer; the message says what."""


def job(part: str, host: str, env: Mapping[str, str]) -> str | None:
    """Whether ``part`` of Airflow on ``host`` gives signs of life in Airflow's database."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    address = _needed(env, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    options = {"connect_args": {"connect_timeout": int(ANSWER_SECONDS)}} if address.startswith("postgresql") else {}
    try:
        with create_engine(address, poolclass=NullPool, **options).connect() as connection:
            latest = connection.execute(text(_QUERY.read_text()), {"type": JOBS[part], "host": host}).scalar()
    except SQLAlchemyError as error:
        raise Unanswered(f"Airflow's database: {type(error).__name__}") from error
    if latest is None:
        return f"no {part} runs on {host}"
    age = (datetime.now(UTC) - latest).total_seconds()
    return f"the {part} on {host} has been silent for {age:.0f} s" if age > SILENCE_SECONDS else None


def worker(host: str, env: Mapping[str, str]) -> str | None:
    """Whether the Celery worker ``celery@host`` answers over the broker."""
    from celery import Celery
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    asker = Celery(broker=_needed(env, "AIRFLOW__CELERY__BROKER_URL"), set_as_current=False)
    asker.conf.broker_transport_options = {"socket_connect_timeout": ANSWER_SECONDS, "socket_timeout": ANSWER_SECONDS}
    name = f"celery@{host}"
    try:
        answers = asker.control.inspect(destination=[name], timeout=ANSWER_SECONDS, limit=1).ping()
    except (OperationalError, RedisError, OSError) as error:
        raise Unanswered(f"Celery's broker: {type(error).__name__}") from error
    return None if answers and name in answers else f"{name} does not answer"


def api_server(host: str, env: Mapping[str, str]) -> str | None:
    """Whether the API server on ``host`` answers and reaches its database."""
    return _unhealthy(_airflow(host, env), ("metadatabase",))


def stack(host: str, env: Mapping[str, str]) -> str | None:
    """Whether every part of Airflow, and the Redis that the environment names, are alive."""
    from redis.exceptions import RedisError

    if client := from_env(env):
        try:
            client.ping()
        except RedisError as error:
            raise Unanswered(f"Redis: {type(error).__name__}") from error
    return _unhealthy(_airflow(host, env), ("metadatabase", "scheduler", "triggerer", "dag_processor"))


def _airflow(host: str, env: Mapping[str, str]) -> Mapping[str, Mapping[str, object]]:
    address = f"http://{host}:{env.get('AIRFLOW__API__PORT') or 8080}/api/v2/monitor/health"
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:
            health: Mapping[str, Mapping[str, object]] = json.load(answer)
    except (OSError, ValueError) as error:
        raise Unanswered(f"{address}: {error}") from error
    return health


def _unhealthy(health: Mapping[str, Mapping[str, object]], parts: tuple[str, ...]) -> str | None:
    ill = [part for part in parts if (health.get(part) or {}).get("status") != "healthy"]
    return f"not healthy: {', '.join(ill)}" if ill else None


def _needed(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise Unanswered(f"{name} is not set: this part of Airflow is told by it where to look")
    return env[name]


Check = Callable[[str, Mapping[str, str]], str | None]
