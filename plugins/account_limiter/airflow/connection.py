"""Where Redis is: the Airflow connection ``redis_default`` if there is one, else the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

CONNECTION_ID = "redis_default"
_COMMON: dict[str, Any] = {
    "socket_connect_timeout": 2.0,
    "socket_timeout": 4.0,
    "socket_keepalive": True,
    "health_check_interval": 30,
}
_TLS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_keyfile", "ssl_certfile", "ssl_check_hostname")


def connect(**options: Any) -> Redis:
    """A pooled client with timeouts and one repetition; it connects with its first command.

    ``options`` are those of ``redis.Redis`` that say where it is, if that is known. On an event loop inside Airflow
    use :func:`connect_async`.
    """
    return Redis(retry=Retry(ExponentialBackoff(0.1, 0.01), 1), **{**_COMMON, **(options or address())})


async def connect_async(**options: Any) -> AsyncRedis:
    """As :func:`connect`, for asyncio."""
    known = options or await address_async()
    return AsyncRedis(retry=AsyncRetry(ExponentialBackoff(0.1, 0.01), 1), **{**_COMMON, **known})


def address() -> dict[str, Any]:
    """Where Redis is, as options of its clients."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return _from_connection(Connection.get(CONNECTION_ID))
    except AirflowNotFoundException:
        return from_env()


async def address_async() -> dict[str, Any]:
    """As :func:`address`, without blocking an event loop."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return _from_connection(await Connection.async_get(CONNECTION_ID))
    except AirflowNotFoundException:
        return from_env()


def from_env(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """``REDIS_SOCKET``, or ``REDIS_HOST``, ``REDIS_PORT`` and ``REDIS_SSL``; ``REDIS_DB`` and ``REDIS_PASSWORD``."""
    options: dict[str, Any] = {"db": int(env.get("REDIS_DB") or 0), "password": env.get("REDIS_PASSWORD") or None}
    if socket := env.get("REDIS_SOCKET"):
        return {**options, "unix_socket_path": socket.removeprefix("unix://")}
    options |= {"host": env.get("REDIS_HOST") or "127.0.0.1", "port": int(env.get("REDIS_PORT") or 6379)}
    if (env.get("REDIS_SSL") or "").lower() in ("1", "true", "yes", "on"):
        options["ssl"] = True
    return options


def _from_connection(found: Any) -> dict[str, Any]:
    # Not by extra_dejson: it blocks, and nothing in here is secret but the password, which Airflow masks.
    extra = json.loads(found.extra or "{}")
    options: dict[str, Any] = {
        "db": int(extra.get("db") or 0),
        "username": found.login or None,
        "password": found.password or None,
    }
    if (found.host or "").startswith("/"):
        return {**options, "unix_socket_path": found.host}
    options |= {"host": found.host or "127.0.0.1", "port": found.port or 6379}
    if extra.get("ssl"):
        options |= {"ssl": True, **{name: extra[name] for name in _TLS if name in extra}}
    return options
