"""Where Redis is: in the Airflow connection ``redis_default``, in ``REDIS_*``, or embedded in the running stack."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry

from account_limiter.airflow.connection import CONNECTION_VARIABLE, DEFAULT_CONNECTION_ID, from_env, from_text
from streamflow.errors import ConfigError
from streamflow_stack.ports import loopback, url_host
from streamflow_stack.state import read_state

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0


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
        place = self.host if self.is_socket else f"{url_host(self.host)}:{self.port}"
        return f"{place} ({self.origin})"

    @property
    def is_socket(self) -> bool:
        """Whether the server listens on a Unix socket."""
        return self.host.startswith("/")

    @property
    def env(self) -> dict[str, str]:
        """The variables by which the processes of the embedded stack find this server."""
        password, host = self.password or "", url_host(self.host)
        return {
            "REDIS_HOST": self.host,
            "REDIS_PORT": str(self.port),
            "REDIS_DB": str(self.db),
            "REDIS_PASSWORD": password,
            "REDIS_SSL": str(self.ssl).lower(),
            CONNECTION_VARIABLE: f"redis://:{quote(password, safe='')}@{host}:{self.port}/?db={self.db}",
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
            return _address(from_text(value), f"the connection {DEFAULT_CONNECTION_ID}")
        except ValueError as error:
            raise ConfigError(str(error)) from None
    if env.get("REDIS_HOST"):
        try:
            return _address(from_env(env), "REDIS_HOST")
        except ValueError:
            raise ConfigError("REDIS_PORT and REDIS_DB must be numbers") from None
    return embedded(home) if home else None


def embedded(home: Path) -> RedisAddress | None:
    """Return the address of the embedded Redis of the stack that runs in a home; None where none runs."""
    state = read_state(home)
    if not state or not state.redis_port:
        return None
    return RedisAddress(loopback(), state.redis_port, password=password_file(home).read_text().strip())


def password_file(home: Path) -> Path:
    """Return the file with the password of a home's embedded Redis."""
    return home / "redis" / "password"


def _address(options: Mapping[str, Any], origin: str) -> RedisAddress:
    """Return the address that the options of a client name. TLS files are Airflow's alone."""
    host = options.get("unix_socket_path") or options["host"]
    known = {name: options[name] for name in ("port", "db", "username", "password", "ssl") if name in options}
    return RedisAddress(host, **known, origin=origin)
