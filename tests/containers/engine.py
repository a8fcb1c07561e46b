"""A container engine, and the deployments of the compose files in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from streamflow_stack.airflow_api import AirflowApi, AirflowError
from support.compose_file import ROOT

Value = TypeVar("Value")

IMAGE = "streamflow-test"


def docker(*arguments: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
    """Run a command of the engine and return what it prints."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, env=None if env is None else {**env})
    assert not check or done.returncode == 0, (
        f"docker {' '.join(arguments)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    )
    return done.stdout + ("" if check else done.stderr)


def missing() -> str:
    """Return why the tests cannot run here; empty when they can."""
    if shutil.which("docker") is None:
        return "no container engine: `docker` is not installed"
    for command in (["version"], ["compose", "version"], ["buildx", "version"]):
        done = subprocess.run(["docker", *command], capture_output=True, text=True)
        if done.returncode:
            return f"no container engine: docker {' '.join(command)}: {done.stderr.strip()[-200:]}"
    return ""


def eventually(condition: Callable[[], Value], seconds: float, pause: float = 0.5) -> Value:
    """Return the condition's first true value; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(pause)
    return value


@dataclass(frozen=True)
class Usage:
    """What a container's cgroup counts.

    :param cpu: seconds since its start.
    :param memory: bytes now.
    :param peak: the most bytes since its start; 0 where the kernel does not tell.
    """

    cpu: float
    memory: int
    peak: int


# The files of cgroup v2 and v1, as a container sees its own ones.
_COUNTERS = """
cd /sys/fs/cgroup
if [ -f cpu.stat ]; then
  sed -n 's/usage_usec //p' cpu.stat; cat memory.current; cat memory.peak 2>/dev/null || echo 0
else
  echo $(($(cat cpuacct/cpuacct.usage) / 1000)); cat memory/memory.usage_in_bytes memory/memory.max_usage_in_bytes
fi
"""


@dataclass(frozen=True)
class Deployment:
    """A compose file of the project, as a project of its own in a folder of its own.

    :param env: its variables, as .env would hold them.
    """

    folder: Path
    file: str
    project: str
    env: Mapping[str, str]

    def prepare(self) -> None:
        """Make the folder with what the file refers to."""
        (self.folder / "docker").mkdir(parents=True)
        for name in (self.file, "docker/valkey.conf", "docker/secrets"):
            shutil.copy(ROOT / name, self.folder / name)
        subprocess.run(["sh", self.folder / "docker" / "secrets"], check=True, capture_output=True)

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run a command of compose."""
        variables = {"STREAMFLOW_IMAGE": IMAGE, **self.env}
        inherited = {name: os.environ[name] for name in os.environ if name in ("PATH", "HOME") or name[:6] == "DOCKER"}
        location = ["--project-directory", str(self.folder), "-f", str(self.folder / self.file), "-p", self.project]
        return docker("compose", *location, *arguments, check=check, env={**inherited, **variables})

    def up(self, *arguments: str) -> None:
        """Start it, without waiting for its health."""
        self.compose("up", "-d", "--no-build", "--quiet-pull", *arguments)

    def down(self) -> None:
        """Remove it with its volumes."""
        self.compose("down", "-v", "-t", "5", check=False)

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's containers."""
        return self.compose("ps", "-a", "-q", service).split()

    def run(self, service: str, *command: str, check: bool = True) -> str:
        """Run a command in the first container of a service."""
        return docker("exec", self.containers(service)[0], *command, check=check)

    def inspect(self, service: str) -> list[dict[str, Any]]:
        """Return what the engine knows about a service's containers."""
        return list(json.loads(docker("inspect", *self.containers(service))))

    def health(self, service: str) -> set[str]:
        """Return the states of health of a service's containers."""
        return {one["State"]["Health"]["Status"] for one in self.inspect(service)}

    def await_health(self, *services: str, seconds: float = 480) -> float:
        """Wait until all containers of some services are healthy, and return the seconds that it took."""
        began = time.monotonic()
        while any(self.health(service) != {"healthy"} for service in services):
            if time.monotonic() - began > seconds:
                checks = [one["State"]["Health"]["Log"][-1:] for service in services for one in self.inspect(service)]
                raise AssertionError(f"not healthy:\n{checks}\n{self.compose('logs', '--tail', '30')[-6000:]}")
            time.sleep(0.5)
        return time.monotonic() - began

    def usage(self, service: str) -> Usage:
        """Return what the cgroups of a service's containers count, in sum."""
        rows = [docker("exec", id, "sh", "-c", _COUNTERS).split() for id in self.containers(service)]
        return Usage(*(sum(int(row[n]) for row in rows) / (1e6 if n == 0 else 1) for n in range(3)))  # type: ignore[arg-type]

    def api(self, service: str, password: str) -> AirflowApi:
        """Return a client of Airflow's API at its published port."""
        ports = self.inspect(service)[0]["NetworkSettings"]["Ports"]["8080/tcp"]
        assert [port["HostIp"] for port in ports] == ["127.0.0.1"]
        return AirflowApi(f"http://127.0.0.1:{ports[0]['HostPort']}", "admin", password)


def verdicts(api: AirflowApi, run_id: str) -> dict[str, int]:
    """Return the counts of a run by verdict; empty while it is not planned or the server is away."""
    try:
        state = api.request("GET", f"/api/stream-checker/runs/{run_id}", params={"streams": "false"}, missing_ok=True)
    except AirflowError:
        return {}
    return dict(state["verdicts"]) if state else {}
