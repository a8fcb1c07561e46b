from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from airflow.sdk import Connection
from redis import Redis

from account_limiter import AccountLimit, Granted, Lease, Limiter, Refused, Request
from account_limiter.airflow.connection import _from_connection, from_text
from account_limiter.commands import main


@pytest.fixture(autouse=True)
def _environment(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_SOCKET", redis_url)


def test_open_skips_the_wait_for_holders_from_before_a_start_of_redis(redis_client: Redis) -> None:
    limiter, request = Limiter(redis_client), Request("a", 1)
    limiter.configure(accounts=[AccountLimit(1, "one", 1)])
    assert limiter.acquire(request, "h", enqueue=False) == Refused("closed")
    assert main(["open"]) == 0
    assert isinstance(limiter.acquire(request, "h", enqueue=False), Granted)


def test_reset_and_status_print_json(
    limiter: Limiter, take: Callable[..., Lease], capsys: pytest.CaptureFixture[str]
) -> None:
    take(1, labels={"stream_id": 7})
    assert main(["status"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert [lease["labels"] for lease in status["leases"]] == [{"stream_id": 7}]
    assert main(["reset"]) == 0
    assert json.loads(capsys.readouterr().out) == {"released": 1, "waiters_dropped": 0}


def test_without_redis_a_command_fails_and_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_SOCKET", "/nonexistent/redis.sock")
    assert main(["status"]) == 1
    assert capsys.readouterr().err.startswith("Redis: ")


def test_the_connection_in_the_environment_goes_before_the_redis_variables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], redis_url: str
) -> None:
    monkeypatch.setenv("REDIS_SOCKET", "/nonexistent/redis.sock")
    path = redis_url.removeprefix("unix://").partition("?")[0]
    monkeypatch.setenv("AIRFLOW_CONN_REDIS_DEFAULT", json.dumps({"conn_type": "redis", "host": path}))
    assert main(["status"]) == 0
    monkeypatch.setenv("AIRFLOW_CONN_REDIS_DEFAULT", "redis://:a-password@host:many")
    capsys.readouterr()
    assert main(["status"]) == 1
    assert "a-password" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("connection", "is_encrypted"),
    [
        ("redis://host:6379/?ssl=false", False),
        ("redis://host:6379/?ssl=true", True),
        ('{"conn_type": "redis", "host": "host", "extra": {"ssl": false}}', False),
        ('{"conn_type": "redis", "host": "host", "extra": "{\\"ssl\\": true}"}', True),
    ],
)
def test_a_connection_is_encrypted_where_it_says_so(connection: str, is_encrypted: bool) -> None:
    assert bool(from_text(connection).get("ssl")) == is_encrypted
    of_airflow = Connection.from_json if connection.startswith("{") else Connection.from_uri
    assert bool(_from_connection(of_airflow(connection, conn_id="redis_default")).get("ssl")) == is_encrypted


def test_neither_the_commands_nor_the_routes_load_airflow() -> None:
    code = (
        "import sys, account_limiter.commands, account_limiter.web.routes\n"
        "account_limiter.commands.main(['open'])\n"
        "sys.exit(any(name.partition('.')[0] == 'airflow' for name in sys.modules))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env).returncode == 0
