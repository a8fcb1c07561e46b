"""Clients of the Redis that an Airflow connection names, or else the environment."""

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

DEFAULT_CONNECTION_ID = "redis_default"
_COMMON: dict[str, Any] = {
    "socket_connect_timeout": 2.0,
    "socket_timeout": 4.0,
    "socket_keepalive": True,
    "health_check_interval": 30,
    # The client's name and version would cost two commands for each connection of a task.
    "driver_info": None,
}
_TLS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_keyfile", "ssl_certfile", "ssl_check_hostname")


def connect(connection_id: str = DEFAULT_CONNECTION_ID, **options: Any) -> Redis:
    """Return a pooled client with timeouts that repeats a failed command once. It connects with its first command.

    An event loop inside of Airflow needs :func:`connect_async`.

    :param connection_id: Airflow connection of the server; without it the environment counts, see :func:`from_env`.
    :param options: address of the server as options of ``redis.Redis``, in place of a connection.
    """
    known = options or address(connection_id)
    return Redis(retry=Retry(ExponentialBackoff(0.1, 0.01), 1), **{**_COMMON, **known})


async def connect_async(connection_id: str = DEFAULT_CONNECTION_ID, **options: Any) -> AsyncRedis:
    """Return an asyncio client, otherwise as :func:`connect`."""
    known = options or await address_async(connection_id)
    return AsyncRedis(retry=AsyncRetry(ExponentialBackoff(0.1, 0.01), 1), **{**_COMMON, **known})


def address(connection_id: str = DEFAULT_CONNECTION_ID) -> dict[str, Any]:
    """Return the address of Redis as options of its clients."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return _from_connection(Connection.get(connection_id))
    except AirflowNotFoundException:
        return from_env()


async def address_async(connection_id: str = DEFAULT_CONNECTION_ID) -> dict[str, Any]:
    """Return the address of Redis as :func:`address` does, without blocking an event loop."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return _from_connection(await Connection.async_get(connection_id))
    except AirflowNotFoundException:
        return from_env()


def from_env(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the address of Redis that the environment names.

    Reads ``REDIS_SOCKET``, or ``REDIS_HOST``, ``REDIS_PORT`` and ``REDIS_SSL``; ``REDIS_DB`` and ``REDIS_PASSWORD``.
    """
    options: dict[str, Any] = {"db": int(env.get("REDIS_DB") or 0), "password": env.get("REDIS_PASSWORD") or None}
    if socket := env.get("REDIS_SOCKET"):
        return {**options, "unix_socket_path": socket.removeprefix("unix://")}
    options |= {"host": env.get("REDIS_HOST") or "127.0.0.1", "port": int(env.get("REDIS_PORT") or 6379)}
    if (env.get("REDIS_SSL") or "").lower() in ("1", "true", "yes", "on"):
        options["ssl"] = True
    return options


def _from_connection(connection: Any) -> dict[str, Any]:
    # extra_dejson would block: it masks secrets in the extras. The password is the only secret here, masked already.
    extra = json.loads(connection.extra or "{}")
    options: dict[str, Any] = {
        "db": int(extra.get("db") or 0),
        "username": connection.login or None,
        "password": connection.password or None,
    }
    if (connection.host or "").startswith("/"):
        return {**options, "unix_socket_path": connection.host}
    options |= {"host": connection.host or "127.0.0.1", "port": connection.port or 6379}
    if extra.get("ssl"):
        options |= {"ssl": True, **{name: extra[name] for name in _TLS if name in extra}}
    return options
