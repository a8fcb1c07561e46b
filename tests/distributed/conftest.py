"""Starts what `docker compose up --scale scheduler=2 --scale triggerer=2 --scale worker=2` would start."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from streamflow import config
from streamflow.config import Config
from streamflow_stack import ports, redis
from streamflow_stack.cli.demo import Lab, lab
from streamflow_stack.processes import Processes
from support.compose_file import FULL, ROOT, services
from support.hosts import SecondHost, second_host
from support.relay import Relay

from . import postgres
from .fleet import Fleet, eventually

LEASE_TTL = 10
GLOBAL_LIMIT = 12
SETTINGS = {
    "concurrent_streams": {"lease_ttl": LEASE_TTL, "global_limit": GLOBAL_LIMIT},
    "schedule": {"check_streams": "", "refresh_udi": ""},
    "probe": {"retry_delay": 2},
}


@pytest.fixture(scope="session")
def fleet_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("fleet")
    for folder in ("airflow/logs", "users", "redis", "bin", "docker"):
        (home / folder).mkdir(parents=True)
    (home / "bin" / "valkey-server").symlink_to(redis.binary())
    subprocess.run(["sh", shutil.copy(ROOT / "docker" / "secrets", home / "docker")], check=True, capture_output=True)
    program = Path(__file__).parents[2] / "docker" / "streamflow"
    (home / "bin" / "streamflow").symlink_to(program)
    config.save(Config.model_validate(SETTINGS), home / "state" / "api-server-1" / "stream_checker_config.json")
    return home


@pytest.fixture(scope="session")
def fleet_processes(fleet_home: Path) -> Iterator[Processes]:
    if postgres.programs() is None:
        pytest.skip("no Postgres on this machine: apt-get install postgresql")
    with Processes(fleet_home) as processes:
        yield processes


@pytest.fixture(scope="session")
def provider(fleet_processes: Processes, fleet_home: Path) -> Iterator[Lab]:
    with lab(fleet_processes, fleet_home, "fleet") as running:
        yield running


@pytest.fixture(scope="session")
def host() -> Iterator[SecondHost]:
    with second_host() as host:
        if host.why_not:
            warnings.warn(
                f"all services run on one host, because no network namespace can be made: {host.why_not}", stacklevel=1
            )
        yield host


@pytest.fixture(scope="session")
def fleet(fleet_processes: Processes, fleet_home: Path, provider: Lab, host: SecondHost) -> Iterator[Fleet]:
    relay = Relay(urlsplit(provider.dispatcharr).port or 0)
    redis_port = ports.any_free()
    values = {
        "REDIS_HOST": ports.loopback(),
        "REDIS_PORT": str(redis_port),
        "DISPATCHARR_URL": relay.address,
        "DISPATCHARR_USERNAME": provider.username,
        "DISPATCHARR_PASSWORD": provider.password,
    }
    password = (fleet_home / "secrets" / "postgres_password").read_text()
    with postgres.running(fleet_processes, password) as database:
        fleet = Fleet(
            fleet_home,
            services(FULL, values),
            fleet_processes,
            database,
            relay,
            redis_port,
            ports.any_free(),
            host,
        )
        if host.name:
            served, path = [redis_port, database.port, fleet.api_port, relay.port], {"PATH": os.environ["PATH"]}
            fleet_processes.start("relay", host.reach(served), path, last=True)
            # The provider stays within reach of a host that is cut off, and sees its connections end.
            streams = host.reach([urlsplit(provider.provider).port or 0], lasting=True)
            fleet_processes.start("relay-streams", streams, path, last=True)
        fleet.start("redis")
        fleet.run("init")
        for name in fleet.names():
            fleet.start(name)
        api = fleet.api()
        eventually(lambda: fleet.processes.check() or api.health(), 180)
        eventually(lambda: all(map(api.has_dag, ("refresh_udi", "check_streams", "maintenance"))), 180)
        eventually(lambda: all(fleet.health(name).returncode == 0 for name in fleet.names()), 180)
        yield fleet
    relay.cut()
