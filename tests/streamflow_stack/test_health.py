"""A health check recognises a dead part and names the server that it asked."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from streamflow_stack import health, ports
from streamflow_stack.cli.healthcheck import command


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


def test_a_check_loads_no_airflow() -> None:
    code = (
        "import sys; from streamflow_stack import health; from streamflow_stack.health import Unreachable\n"
        "try: health.worker('x', {'AIRFLOW__CELERY__BROKER_URL': 'redis://127.0.0.1:1/1'})\n"
        "except Unreachable: sys.exit(any(name.partition('.')[0] == 'airflow' for name in sys.modules))"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env).returncode == 0
