"""Clients of the Redis that an Airflow connection names, or else the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis import ConnectionPool, Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

DEFAULT_CONNECTION_ID = "redis_default"
CONNECTION_VARIABLE = f"AIRFLOW_CONN_{DEFAULT_CONNECTION_ID.upper()}"
_COMMON: dict[str, Any] = {
    "socket_connect_timeout": 2.0,
    "socket_timeout": 4.0,
    "socket_keepalive": True,
    "health_check_interval": 30,
    # The client's name and version would cost two commands for each connection of a task.
    "driver_info": None,
}
_TRUE = ("1", "true", "yes", "on")
_TLS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_keyfile", "ssl_certfile", "ssl_check_hostname")


def connect(connection_id: str = DEFAULT_CONNECTION_ID, **options: Any) -> Redis:
    """Return a pooled client with timeouts that repeats a failed command once. It connects with its first command.

    An event loop inside of Airflow needs :func:`connect_async`.

    :param connection_id: Airflow connection of the server; without it the environment counts, see :func:`from_env`.
    :param options: address of the server as options of ``redis.Redis``, in place of a connection.
    """
    known = options or address(connection_id)
    return Redis(retry=Retry(ExponentialBackoff(0.1, 0.01), 1), **{**_COMMON, **known})


def watching(redis: Redis) -> Redis:
    """Return a client of the same server that notices its return soon: it reconnects for each failed command."""
    known = redis.connection_pool
    options = {**known.connection_kwargs, "socket_connect_timeout": 1.0, "retry": Retry(NoBackoff(), 0)}
    return Redis(connection_pool=ConnectionPool(connection_class=known.connection_class, **options))


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

    Reads ``AIRFLOW_CONN_REDIS_DEFAULT``, which wins as in Airflow; else ``REDIS_SOCKET``, or ``REDIS_HOST``,
    ``REDIS_PORT`` and ``REDIS_SSL``; ``REDIS_DB``, ``REDIS_USERNAME`` and ``REDIS_PASSWORD``.

    :raises ValueError: when the variable holds no connection, or a port or a database is no number.
    """
    if connection := env.get(CONNECTION_VARIABLE):
        return from_text(connection)
    options: dict[str, Any] = {
        "db": int(env.get("REDIS_DB") or 0),
        "username": env.get("REDIS_USERNAME") or None,
        "password": env.get("REDIS_PASSWORD") or None,
    }
    if socket := env.get("REDIS_SOCKET"):
        return {**options, "unix_socket_path": socket.removeprefix("unix://")}
    options |= {"host": env.get("REDIS_HOST") or "127.0.0.1", "port": int(env.get("REDIS_PORT") or 6379)}
    if _is_true(env.get("REDIS_SSL")):
        options["ssl"] = True
    return options


def from_text(connection: str) -> dict[str, Any]:
    """Return the address that a connection names as Airflow's variables do, as a URI or as a JSON object.

    Source: Airflow's documentation, "Storing connections in environment variables".

    :raises ValueError: when the text is no connection.
    """
    try:
        fields = json.loads(connection) if connection.startswith("{") else _uri_fields(connection)
        return _from_fields(fields)
    except (AttributeError, TypeError, ValueError, OSError):
        # The error's own text may hold the password.
        raise ValueError(
            f"{CONNECTION_VARIABLE} is no connection; write for example redis://:PASSWORD@HOST:6379"
        ) from None


def _uri_fields(uri: str) -> dict[str, Any]:
    parts = urlsplit(uri)
    query = dict(parse_qsl(parts.query))
    return {
        "host": unquote(parts.hostname or ""),
        "port": parts.port,
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "extra": json.loads(query["__extra__"]) if "__extra__" in query else query,
    }


def _from_connection(connection: Any) -> dict[str, Any]:
    # extra_dejson would block: it masks secrets in the extras. The password is the only secret here, masked already.
    return _from_fields({name: getattr(connection, name) for name in ("host", "port", "login", "password", "extra")})


def _from_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    extra = fields.get("extra") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    host = fields.get("host") or "127.0.0.1"
    options: dict[str, Any] = {
        "db": int(extra.get("db") or 0),
        "username": fields.get("login") or None,
        "password": fields.get("password") or _password_in_file(extra),
    }
    if host.startswith("/"):
        return {**options, "unix_socket_path": host}
    options |= {"host": host, "port": int(fields.get("port") or 6379)}
    if _is_true(extra.get("ssl")):
        options |= {"ssl": True, **{name: extra[name] for name in _TLS if name in extra}}
    return options


def _password_in_file(extra: Mapping[str, Any]) -> str | None:
    """Return the password in the file that the extra ``password_file`` names; None without one."""
    return Path(extra["password_file"]).read_text().strip() if extra.get("password_file") else None


def _is_true(value: Any) -> bool:
    # A URI has only texts: "?ssl=false" arrives as the text "false".
    return str(value).lower() in _TRUE
