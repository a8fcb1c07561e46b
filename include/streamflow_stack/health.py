"""Health checks of the parts of a deployment, as cheap as a container's health check has to be.

Each check returns a sentence about the fault, or None when there is none. A check runs twice a minute in each one,
so it loads neither Airflow nor SQLAlchemy, the settings or the sources.
"""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamflow import names
from streamflow.errors import StreamFlowError
from streamflow_stack import airflow
from streamflow_stack.ports import loopback, url_host
from streamflow_stack.state import read_state

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
    """Check the heartbeat of a part of Airflow in Airflow's Postgres.

    :param host: the name of the part's host in that database.
    """
    import psycopg2

    address = urlsplit(required(env, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"))
    try:
        connection = psycopg2.connect(
            host=address.hostname,
            port=address.port or 5432,
            user=unquote(address.username or ""),
            password=unquote(address.password or ""),
            dbname=address.path.lstrip("/"),
            connect_timeout=int(RESPONSE_SECONDS),
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(_QUERY.read_text(), {"type": JOBS[part], "host": host})
                (latest,) = cursor.fetchone() or (None,)
        finally:
            connection.close()
    except psycopg2.Error as error:
        # The message names the server and never the password.
        raise Unreachable(f"Airflow's database: {type(error).__name__}") from error
    if latest is None:
        return f"no {part} runs on {host}"
    age = (datetime.now(UTC) - latest).total_seconds()
    return f"the {part} on {host} has been silent for {age:.0f} s" if age > SILENCE_SECONDS else None


def worker(host: str, env: Mapping[str, str]) -> str | None:
    """Check that the Celery worker ``celery@host`` responds over the broker, and that the source could be read."""
    from celery import Celery
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    client = Celery(broker=required(env, "AIRFLOW__CELERY__BROKER_URL"), set_as_current=False)
    client.conf.broker_transport_options = {
        "socket_connect_timeout": RESPONSE_SECONDS,
        "socket_timeout": RESPONSE_SECONDS,
    }
    name = f"celery@{host}"
    try:
        responses = client.control.inspect(destination=[name], timeout=RESPONSE_SECONDS, limit=1).ping()
    except (OperationalError, RedisError, OSError) as error:
        raise Unreachable(f"Celery's broker: {type(error).__name__}") from error
    return source_fault(env) if responses and name in responses else f"{name} does not respond"


def api_server(host: str, env: Mapping[str, str]) -> str | None:
    """Check that the API server responds and reaches its database."""
    return _unhealthy(_airflow(_address(host, env)), ("metadatabase",))


def stack(host: str, env: Mapping[str, str]) -> str | None:
    """Check every part of Airflow, the Redis that the tasks use, and that the source could be read."""
    _ping_redis(env)
    parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
    state = read_state(Path(env["STREAMFLOW_HOME"]))
    # A running stack knows at which address it listens.
    address = state.address if state and state.address else _address(host, env)
    return _unhealthy(_airflow(address), parts) or source_fault(env)


def _ping_redis(env: Mapping[str, str]) -> None:
    home = Path(env["STREAMFLOW_HOME"])
    state = read_state(home)
    if state and state.redis_port:
        _ping_embedded_redis(state.redis_port, (home / "redis" / "password").read_text().strip())
        return
    # A server of the user's may need TLS and a database, so the client is loaded, which takes a third of a second.
    from redis.exceptions import RedisError

    from streamflow_stack import redis_address

    if address := redis_address.locate(env, home):
        try:
            with address.client() as client:
                client.ping()
        except RedisError as error:
            raise Unreachable(f"Redis: {type(error).__name__}") from error


def _ping_embedded_redis(port: int, password: str) -> None:
    # Inline commands (Redis serialization protocol specification, "Inline commands").
    try:
        with socket.create_connection((loopback(), port), RESPONSE_SECONDS) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
            answer = connection.makefile("rb").read(1024)
    except OSError as error:
        raise Unreachable(f"Redis: {error}") from error
    if b"+PONG" not in answer:
        raise Unreachable(f"Redis: {answer.decode(errors='replace').strip()}")


def source_fault(env: Mapping[str, str]) -> str | None:
    """Return the fault of the first look at the source, until the source was read once."""
    try:
        return f"the source cannot be read: {(Path(env['STREAMFLOW_HOME']) / names.SOURCE_FAULT_FILE).read_text()}"
    except (FileNotFoundError, KeyError):
        return None


def _address(host: str, env: Mapping[str, str]) -> str:
    port = env.get("AIRFLOW__API__PORT") or DEFAULT_PORT
    return f"http://{url_host(host)}:{port}{airflow.path_prefix(env)}"


def _airflow(address: str) -> Mapping[str, Mapping[str, object]]:
    address += "/api/v2/monitor/health"
    try:
        with urllib.request.urlopen(address, timeout=RESPONSE_SECONDS) as response:  # noqa: S310 - it is http
            health: Mapping[str, Mapping[str, object]] = json.load(response)
    except (OSError, ValueError) as error:
        raise Unreachable(f"{address}: {error}") from error
    return health


def _unhealthy(health: Mapping[str, Mapping[str, object]], parts: tuple[str, ...]) -> str | None:
    unhealthy = [part for part in parts if (health.get(part) or {}).get("status") != "healthy"]
    return f"not healthy: {', '.join(unhealthy)}" if unhealthy else None


def required(env: Mapping[str, str], name: str) -> str:
    """Return a setting of Airflow, which may also be the output of a command.

    :raises Unreachable: It is not set, or the command failed.
    """
    if value := env.get(name):
        return value
    if command := env.get(f"{name}_CMD"):
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, env=dict(env))
        if done.returncode == 0:
            return done.stdout.strip()
        raise Unreachable(f"{name}_CMD ended with status {done.returncode}")
    raise Unreachable(f"{name} is not set, and the check finds the server by it")
