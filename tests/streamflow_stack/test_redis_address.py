"""One function locates Redis for the commands, and it agrees with the tasks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection

from account_limiter.airflow.connection import address, from_env
from streamflow.errors import ConfigError
from streamflow_stack import redis_address
from streamflow_stack.redis_address import RedisAddress, locate
from streamflow_stack.state import StackState, write_state

VARIABLE = "AIRFLOW_CONN_REDIS_DEFAULT"
CONNECTIONS = [
    "redis://nas",
    "redis://:pass%2Fword@nas:6380/?db=3",
    "rediss://user:word@nas:6380/?ssl=true&db=2",
    "redis://:word@nas/?__extra__=%7B%22db%22%3A+4%7D",
    '{"conn_type": "redis", "host": "nas", "port": 1, "login": "u", "password": "p", "extra": {"db": 5, "ssl": true}}',
    '{"conn_type": "redis", "host": "/run/redis.socket"}',
    '{"conn_type": "redis", "host": "nas", "extra": "{\\"db\\": 6}"}',
]


def options(found: RedisAddress) -> dict[str, Any]:
    """Return an address as options of redis-py."""
    place = {"unix_socket_path": found.host} if found.is_socket else {"host": found.host, "port": found.port}
    login = {name: getattr(found, name) for name in ("db", "username", "password")}
    return place | login | ({"ssl": True} if found.ssl else {})


@pytest.mark.parametrize("value", CONNECTIONS)
def test_a_connection_means_the_same_to_commands_and_tasks(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    read = Connection.from_json if value.startswith("{") else Connection.from_uri
    monkeypatch.setattr(Connection, "get", lambda conn_id: read(value, conn_id=conn_id))
    found = locate({VARIABLE: value})
    assert found is not None
    assert options(found) == address()


def test_the_connection_wins_over_the_variables() -> None:
    found = locate({VARIABLE: "redis://nas", "REDIS_HOST": "other"})
    assert found is not None
    assert str(found) == "nas:6379 (the connection redis_default)"


@pytest.mark.parametrize("ssl", ["", "false", "true"])
def test_variables_mean_the_same_to_commands_and_tasks(ssl: str) -> None:
    env = {"REDIS_HOST": "nas", "REDIS_PORT": "6380", "REDIS_DB": "2", "REDIS_PASSWORD": "word", "REDIS_SSL": ssl}
    found = locate(env)
    assert found is not None
    assert options(found) == from_env(env) | {"username": None}


def test_an_embedded_redis_is_found_while_its_stack_runs(tmp_path: Path) -> None:
    assert locate({}, tmp_path) is None
    redis_address.password_file(tmp_path).parent.mkdir()
    redis_address.password_file(tmp_path).write_text("word\n")
    write_state(tmp_path, StackState("http://127.0.0.1:8080", 7000, os.getpid()))
    assert locate({}, tmp_path) == RedisAddress("127.0.0.1", 7000, password="word")
    write_state(tmp_path, StackState("http://127.0.0.1:8080", 7000, pid=2**22 + 1))
    assert locate({}, tmp_path) is None


def test_the_embedded_address_reaches_every_process_of_the_stack() -> None:
    embedded = RedisAddress("127.0.0.1", 7000, password="a/b")
    assert locate({VARIABLE: embedded.env[VARIABLE]}) == RedisAddress(
        "127.0.0.1", 7000, password="a/b", origin="the connection redis_default"
    )
    assert from_env(embedded.env)["password"] == "a/b"


@pytest.mark.parametrize("value", ["redis://:secret@nas:port", '{"host": "nas", "password": "secret"', "{[secret"])
def test_a_wrong_connection_is_refused_without_its_password(value: str) -> None:
    with pytest.raises(ConfigError, match=VARIABLE) as refused:
        locate({VARIABLE: value})
    assert "secret" not in str(refused.value)


def test_a_wrong_port_is_refused() -> None:
    with pytest.raises(ConfigError, match="REDIS_PORT"):
        locate({"REDIS_HOST": "nas", "REDIS_PORT": "many"})
