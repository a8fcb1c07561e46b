"""One home has one stack, ports are found, secrets stay private."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
import redis as redis_py
from anyio import to_thread

from streamflow_stack import airflow, ports, redis, stack
from streamflow_stack.processes import Processes, StackError
from streamflow_stack.secret import kept
from support.compose_file import FULL, services, variables


def test_a_second_stack_of_one_home_is_refused(tmp_path: Path) -> None:
    with stack.owned(tmp_path), pytest.raises(StackError, match="STREAMFLOW_HOME"), stack.owned(tmp_path):
        pass


def test_a_home_is_free_again_after_its_stack(tmp_path: Path) -> None:
    for _ in range(2):
        with stack.owned(tmp_path):
            assert (tmp_path / "stack.lock").exists()


def test_a_taken_port_gives_the_next_free_one() -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.next_free(port) > port


def test_a_secret_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "one"
    secret = kept(file)
    assert kept(file) == secret
    assert len(secret) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_embedded_redis_asks_for_its_password_and_keeps_its_data(tmp_path: Path) -> None:
    for round_ in range(2):
        with Processes(tmp_path) as processes:
            address = redis.start(processes, tmp_path)
            with pytest.raises(redis_py.AuthenticationError):
                redis_py.Redis(address.host, address.port).get("kept")
            client = redis_py.Redis(address.host, address.port, password=address.password)
            assert client.get("kept") == (b"1" if round_ else None)
            client.set("kept", "1")
            client.close()


def test_airflow_listens_on_loopback_with_authentication(tmp_path: Path) -> None:
    env = airflow.environment(tmp_path, 8099, workers=14)
    assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8099/execution/"
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS" not in env
    assert airflow.password(tmp_path) == airflow.password(tmp_path)


async def test_the_api_server_has_a_database_connection_for_each_of_its_threads(tmp_path: Path) -> None:
    threads = to_thread.current_default_thread_limiter().total_tokens
    composed = services(FULL, dict.fromkeys(variables(FULL), "x"))["api-server"].environment
    for env in (airflow.environment(tmp_path, 8099, workers=14), composed):
        pooled = int(env.get("AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE", "5"))
        assert pooled + int(env["AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW"]) >= threads
