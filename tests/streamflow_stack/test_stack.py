"""One home has one stack, ports are found, secrets stay private, and a user's settings of Airflow are kept."""

from __future__ import annotations

import configparser
import json
import os
import signal
import socket
import stat
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis as redis_py
from anyio import to_thread

from streamflow import config, names
from streamflow.errors import ConfigError
from streamflow_stack import airflow, pools, ports, redis, stack
from streamflow_stack.processes import Processes, StackError
from streamflow_stack.secret import kept


def test_a_second_stack_of_one_home_is_refused(tmp_path: Path) -> None:
    with stack.owned(tmp_path), pytest.raises(StackError, match="STREAMFLOW_HOME"), stack.owned(tmp_path):
        pass


def test_a_home_is_free_again_after_its_stack(tmp_path: Path) -> None:
    for _ in range(2):
        with stack.owned(tmp_path):
            lock = tmp_path / "stack.lock"
            assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_full_disk_is_reported_before_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stack.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(StackError, match=f"the disk of {tmp_path} has less than 100 MB left"), stack.owned(tmp_path):
        pass


def test_a_taken_port_gives_the_next_free_one() -> None:
    with socket.socket() as taken:
        taken.bind((ports.loopback(), 0))
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


def test_an_empty_secret_that_a_crash_left_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    assert len(kept(tmp_path / "one")) >= 32


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
    assert airflow.login(tmp_path) == airflow.login(tmp_path)


async def test_the_api_server_has_a_database_connection_for_each_of_its_threads() -> None:
    threads = to_thread.current_default_thread_limiter().total_tokens
    shared = configparser.ConfigParser(interpolation=None)
    shared.read(airflow.CONFIGURATION)
    # Airflow's own pool has five connections.
    assert 5 + shared.getint("database", "sql_alchemy_max_overflow") >= threads


def test_a_killed_embedded_redis_is_back_within_seconds(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        address = redis.start(processes, tmp_path)
        with address.client() as client:
            client.set("kept", "1")
            time.sleep(1.2)  # The file is flushed every second.
            os.kill(processes.pids[redis.NAME], signal.SIGKILL)
            killed = time.monotonic()
            while True:
                try:
                    client.ping()
                    break
                except redis_py.ConnectionError:
                    assert time.monotonic() - killed < 5
                    time.sleep(0.05)
            assert client.get("kept") == b"1"


def test_a_redis_works_in_a_home_with_blanks_and_other_letters(tmp_path: Path) -> None:
    home = tmp_path / 'Über "uns" \\ дом'
    home.mkdir()
    with Processes(home) as processes, redis.start(processes, home).client() as client:
        client.set("kept", "1")
    assert (home / "redis" / "appendonlydir").exists()


def test_a_users_settings_of_airflow_are_kept_unless_streamflow_must_set_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    users = {
        "AIRFLOW__TRIGGERER__CAPACITY": "10",
        "AIRFLOW__API__BASE_URL": "https://home.example/airflow",
        "AIRFLOW__CORE__FERNET_KEY_CMD": "cat key",
        "AIRFLOW_CONN_SLACK": "slack://",
        "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",
        "AIRFLOW__CORE__DAGS_FOLDER": "/elsewhere",
    }
    for name, value in users.items():
        monkeypatch.setenv(name, value)
    env = airflow.environment(tmp_path, 8099, workers=14)
    assert {name: env[name] for name in list(users)[:4]} == dict(list(users.items())[:4])
    assert "AIRFLOW__CORE__FERNET_KEY" not in env
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8099/airflow/execution/"
    assert env["AIRFLOW__CORE__EXECUTOR"] == "streamflow_stack.executor.LocalExecutor"
    assert "AIRFLOW__CORE__DAGS_FOLDER" not in env
    assert airflow.overridden(users) == ["AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__EXECUTOR"]


def test_a_users_own_modules_are_found_after_streamflows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = str(airflow.root() / "include")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([own, "/opt/fab", ""]))
    folders = airflow.environment(tmp_path, 8099, workers=14)["PYTHONPATH"].split(os.pathsep)
    assert folders == [own, str(airflow.root() / "plugins"), "/opt/fab"]


def test_each_user_of_the_simple_auth_manager_has_a_password_before_airflow_prints_one(tmp_path: Path) -> None:
    airflow.make_passwords(tmp_path, {})
    file = airflow.passwords_file(tmp_path)
    first = json.loads(file.read_text())
    airflow.make_passwords(tmp_path, {airflow.USERS_VARIABLE: "admin:admin, anna:viewer,ben:op"})
    later = json.loads(file.read_text())
    assert set(first) == {"admin"}
    assert (set(later), later["admin"]) == ({"admin", "anna", "ben"}, first["admin"])
    assert len(set(later.values())) == 3
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("{broken")
    with pytest.raises(ConfigError, match=str(file)):
        airflow.make_passwords(tmp_path, {})


@pytest.mark.parametrize(
    ("env", "lacks"),
    [
        ({}, False),
        ({airflow.USERS_VARIABLE: "anna:viewer, admin:admin"}, False),
        ({airflow.USERS_VARIABLE: "anna:admin"}, True),
        ({airflow.AUTH_MANAGER_VARIABLE: "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"}, True),
    ],
)
def test_a_login_of_the_commands_is_asked_for_where_nobody_knows_admin(env: dict[str, str], lacks: bool) -> None:
    assert airflow.lacks_login(env) is lacks
    assert not airflow.lacks_login(env | {"STREAMFLOW_AIRFLOW_USERNAME": "a", "STREAMFLOW_AIRFLOW_PASSWORD": "b"})


def test_pools_have_the_slots_of_the_settings() -> None:
    settings = config.with_section(config.Config(), "concurrent_streams", {"global_limit": 7})
    assert {name: pool["slots"] for name, pool in pools.pools(settings).items()} == {
        names.CHECK_POOL: 7,
        names.SEQUENTIAL_POOL: 1,
    }
    unlimited = config.with_section(config.Config(), "concurrent_streams", {"global_limit": 0})
    assert pools.pools(unlimited)[names.CHECK_POOL]["slots"] == pools.UNLIMITED_SLOTS


def test_two_stacks_do_not_touch_each_others_redis_and_processes(tmp_path: Path) -> None:
    first, second = tmp_path / "home", tmp_path / "home2"
    for home in (first, second):
        home.mkdir()
    with Processes(first) as processes:
        address = redis.start(processes, first)
        with address.client() as client:
            client.set("of", "first")
            for _ in range(2):
                # Its start and its end look for leftovers of its home.
                with Processes(second) as others:
                    other = redis.start(others, second)
                    assert other.port != address.port
                    assert other.password != address.password
                    with other.client() as stranger:
                        assert stranger.get("of") in {None, b"second"}
                        stranger.set("of", "second")
            assert client.get("of") == b"first"
        assert (processes.ended, processes.news()) == ({}, [])
