"""A health check recognises a dead part and names the server that it asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamflow import names
from streamflow_stack import health, ports
from streamflow_stack.cli.healthcheck import command
from streamflow_stack.state import StackState, write_state


def test_a_part_that_does_not_respond_is_unhealthy() -> None:
    port = str(ports.any_free())
    result = CliRunner().invoke(command, ["api-server"], env={"AIRFLOW__API__PORT": port})
    assert result.exit_code == 1
    assert result.output.startswith(f"api-server: http://127.0.0.1:{port}/")
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize("part", ["worker", "scheduler"])
def test_a_missing_setting_is_named(part: str) -> None:
    names = ("AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    result = CliRunner().invoke(command, [part], env=dict.fromkeys(names))
    assert result.exit_code == 1
    assert f"{names[part == 'scheduler']} is not set" in result.output


def test_an_unreachable_broker_is_reported_without_its_password() -> None:
    broker = f"redis://:word@127.0.0.1:{ports.any_free()}/1"
    result = CliRunner().invoke(command, ["worker"], env={"AIRFLOW__CELERY__BROKER_URL": broker})
    assert result.exit_code == 1
    assert result.output == "worker: Celery's broker: OperationalError\n"


def test_a_missing_worker_is_unhealthy(redis_url: str) -> None:
    broker = redis_url.replace("unix://", "redis+socket://")
    assert health.worker("nowhere", {"AIRFLOW__CELERY__BROKER_URL": broker}) == "celery@nowhere does not respond"


def test_the_fault_of_the_source_is_reported_until_it_was_read(tmp_path: Path) -> None:
    env = {"STREAMFLOW_HOME": str(tmp_path)}
    assert health.source_fault(env) is None
    (tmp_path / names.SOURCE_FAULT_FILE).write_text("no such host")
    assert health.source_fault(env) == "the source cannot be read: no such host"


def test_the_output_of_a_command_takes_the_place_of_a_setting(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("pass%word\n")
    script = Path(__file__).parents[2] / "docker" / "with-secret"
    env = {"A_CMD": f"{script} {secret} redis://broker:%s@redis:6379/1"}
    assert health.required(env, "A") == "redis://broker:pass%word@redis:6379/1"
    with pytest.raises(health.Unreachable, match="A_CMD ended with status"):
        health.required({"A_CMD": f"{script} {tmp_path}/missing %s"}, "A")


@pytest.mark.parametrize("part", ["stack", "scheduler", "api-server"])
def test_a_check_loads_nothing_that_takes_long(part: str, tmp_path: Path) -> None:
    state = StackState(address="", redis_port=ports.any_free(), pid=os.getpid())
    write_state(tmp_path, state)
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "password").write_text("x")
    code = (
        "import sys; from streamflow_stack.cli import main\n"
        f"try: main(['healthcheck', '{part}'])\n"
        "except SystemExit: print(*{name.partition('.')[0] for name in sys.modules})"
    )
    env = {"PYTHONPATH": os.pathsep.join(sys.path), "STREAMFLOW_HOME": str(tmp_path), "AIRFLOW__API__PORT": "1"}
    env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = "postgresql+psycopg2://a:b@127.0.0.1:1/airflow"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "streamflow_stack" in loaded, done.stderr
    assert loaded & {"airflow", "sqlalchemy", "pydantic", "redis", "account_limiter", "httpx"} == set()


def test_a_check_loads_no_airflow() -> None:
    code = (
        "import sys; from streamflow_stack import health; from streamflow_stack.health import Unreachable\n"
        "try: health.worker('x', {'AIRFLOW__CELERY__BROKER_URL': 'redis://127.0.0.1:1/1'})\n"
        "except Unreachable: sys.exit(any(name.partition('.')[0] == 'airflow' for name in sys.modules))"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env).returncode == 0
