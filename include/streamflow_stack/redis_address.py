"""Where Redis is: in the Airflow connection ``redis_default``, in ``REDIS_*``, or embedded in the running stack."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry

from account_limiter.airflow.connection import DEFAULT_CONNECTION_ID, from_env
from streamflow.errors import ConfigError
from streamflow_stack.ports import LOOPBACK
from streamflow_stack.state import read_state

CONNECTION_VARIABLE = f"AIRFLOW_CONN_{DEFAULT_CONNECTION_ID.upper()}"
CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
_TRUE = ("1", "true", "yes", "on")


@dataclass(frozen=True)
class RedisAddress:
    """The address of a Redis server.

    :param host: a host, or the absolute path of a Unix socket.
    :param origin: the setting that the address comes from.
    """

    host: str
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = None
    ssl: bool = False
    origin: str = "embedded"

    def __str__(self) -> str:
        place = self.host if self.is_socket else f"{self.host}:{self.port}"
        return f"{place} ({self.origin})"

    @property
    def is_socket(self) -> bool:
        """Whether the server listens on a Unix socket."""
        return self.host.startswith("/")

    @property
    def env(self) -> dict[str, str]:
        """The variables by which the processes of the embedded stack find this server."""
        password = self.password or ""
        return {
            "REDIS_HOST": self.host,
            "REDIS_PORT": str(self.port),
            "REDIS_DB": str(self.db),
            "REDIS_PASSWORD": password,
            "REDIS_SSL": str(self.ssl).lower(),
            CONNECTION_VARIABLE: f"redis://:{quote(password, safe='')}@{self.host}:{self.port}/?db={self.db}",
        }

    def client(self) -> Redis:
        """Return a pooled client with time-outs that tries once more after a lost connection."""
        place = {"unix_socket_path": self.host} if self.is_socket else {"host": self.host, "port": self.port}
        return Redis(
            **place,
            db=self.db,
            username=self.username,
            password=self.password,
            ssl=self.ssl,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=READ_SECONDS,
            # A time-out is not tried again: the caller has waited long enough.
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.1), 1, supported_errors=(ConnectionError,)),
        )


def locate(env: Mapping[str, str] = os.environ, home: Path | None = None) -> RedisAddress | None:
    """Return the address of the Redis that tasks use.

    Tasks take the Airflow connection ``redis_default`` first. It is read here from ``AIRFLOW_CONN_REDIS_DEFAULT``; a
    connection that only Airflow's database or a secrets backend holds is unknown outside Airflow.

    :param home: the home of a stack whose embedded Redis is meant when the environment names none.
    :returns: None where Redis is embedded and its stack does not run.
    :raises ConfigError: The environment names a Redis in a wrong way.
    """
    if value := env.get(CONNECTION_VARIABLE):
        try:
            return _from_connection(value)
        except (ValueError, TypeError, AttributeError):
            # The error's own text may hold the password.
            raise ConfigError(
                f"{CONNECTION_VARIABLE} is no connection; write for example redis://:PASSWORD@HOST:6379"
            ) from None
    if env.get("REDIS_HOST"):
        try:
            return RedisAddress(**from_env(env), origin="REDIS_HOST")
        except ValueError:
            raise ConfigError("REDIS_PORT and REDIS_DB must be numbers") from None
    return embedded(home) if home else None


def embedded(home: Path) -> RedisAddress | None:
    """Return the address of the embedded Redis of the stack that runs in a home; None where none runs."""
    state = read_state(home)
    if not state or not state.redis_port:
        return None
    return RedisAddress(LOOPBACK, state.redis_port, password=password_file(home).read_text().strip())


def password_file(home: Path) -> Path:
    """Return the file with the password of a home's embedded Redis."""
    return home / "redis" / "password"


def _from_connection(value: str) -> RedisAddress:
    # Airflow accepts a URI or a JSON object (Airflow's documentation, "Storing connections in environment variables").
    fields: dict[str, Any] = json.loads(value) if value.startswith("{") else _uri_fields(value)
    extra = fields.get("extra") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    return RedisAddress(
        fields.get("host") or LOOPBACK,
        int(fields.get("port") or 6379),
        int(extra.get("db") or 0),
        username=fields.get("login") or None,
        password=fields.get("password") or None,
        ssl=str(extra.get("ssl", "")).lower() in _TRUE,
        origin=f"the connection {DEFAULT_CONNECTION_ID}",
    )


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
