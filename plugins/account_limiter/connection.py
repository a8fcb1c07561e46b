"""Where Redis is: the Airflow connection ``redis_default`` if there is one, else the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

CONNECTION_ID = "redis_default"
CONNECT_SECONDS = 2.0
READ_SECONDS = 4.0
_TLS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_keyfile", "ssl_certfile", "ssl_check_hostname")


def connect(**options: Any) -> Redis:
    """A pooled client with timeouts and one repetition. Does not connect yet. Must not run on an event loop inside
    Airflow, where looking a connection up blocks."""
    return Redis(**_common(), **{**_from_airflow(), **options}, retry=Retry(ExponentialBackoff(0.1, 0.01), 1))


def connect_async(**options: Any) -> AsyncRedis:
    """As :func:`connect`, for asyncio; ``options`` are where it is, if that is known (see :func:`address`)."""
    return AsyncRedis(**_common(), **(options or from_env()), retry=AsyncRetry(ExponentialBackoff(0.1, 0.01), 1))


def address() -> dict[str, Any]:
    """Where Redis is, as options of its clients."""
    return _from_airflow()


def _common() -> dict[str, Any]:
    return {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": READ_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 30,
    }


def from_env(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """``REDIS_SOCKET``, or ``REDIS_HOST``, ``REDIS_PORT`` and ``REDIS_SSL``; ``REDIS_DB`` and ``REDIS_PASSWORD``."""
    options: dict[str, Any] = {
        "db": int(env.get("REDIS_DB") or 0),
        "password": env.get("REDIS_PASSWORD") or None,
    }
    if socket := env.get("REDIS_SOCKET"):
        return {**options, "unix_socket_path": socket.removeprefix("unix://")}
    options |= {"host": env.get("REDIS_HOST") or "127.0.0.1", "port": int(env.get("REDIS_PORT") or 6379)}
    if (env.get("REDIS_SSL") or "").lower() in ("1", "true", "yes", "on"):
        options["ssl"] = True
    return options


def _from_airflow() -> dict[str, Any]:
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        found = Connection.get(CONNECTION_ID)
    except AirflowNotFoundException:
        return from_env()
    extra = found.extra_dejson
    options: dict[str, Any] = {"db": int(extra.get("db") or 0), "username": found.login, "password": found.password}
    host = found.host or "127.0.0.1"
    if host.startswith("/"):
        return {**options, "unix_socket_path": host}
    options |= {"host": host, "port": found.port or 6379}
    if extra.get("ssl"):
        options |= {"ssl": True, **{name: extra[name] for name in _TLS if name in extra}}
    return options
