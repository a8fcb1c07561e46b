"""The services of the compose file as processes of this machine, one for each container.

Commands, environment and health checks are the file's own. Three things differ, because all processes are on one
machine: the names and folders of containers (:meth:`Fleet.here`), the ports that serve logs, and the name of a worker,
which is otherwise the name of its container. Every copy has a home of its own, except for ``init``, which prepares that
of the API server. The copies in ``REMOTE`` run on a second host.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from streamflow_stack import ports
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.processes import Processes
from support.compose_file import ROOT, Service, image_environment
from support.hosts import SecondHost
from support.relay import Relay

from .postgres import Postgres

COPIES = {"scheduler": 2, "triggerer": 2, "dag-processor": 1, "api-server": 1, "worker": 2}
REMOTE = {"worker-2", "triggerer-2"}


@dataclass
class Fleet:
    """All services, with their ports on this machine."""

    home: Path
    services: dict[str, Service]
    processes: Processes
    postgres: Postgres
    dispatcharr: Relay
    redis_port: int
    api_port: int
    host: SecondHost
    log_ports: dict[str, int] = field(default_factory=dict)

    def state(self, name: str) -> Path:
        """Return the home of a copy."""
        return self.home / "state" / ("api-server-1" if name == "init" else name)

    def here(self, text: str, name: str) -> str:
        """Return a text of the compose file with the folders and addresses that a copy has on this machine."""
        for there, here in {
            "/opt/streamflow/state": str(self.state(name)),
            "/opt/streamflow/airflow": str(self.home / "airflow"),
            "/opt/streamflow/users": str(self.home / "users"),
            "/opt/streamflow/init": str(ROOT / "docker" / "init"),
            "/opt/streamflow/with-secret": str(ROOT / "docker" / "with-secret"),
            "/run/secrets": str(self.home / "secrets"),
            "/opt/streamflow": str(ROOT),
            "/etc/valkey/valkey.conf": (
                f"{ROOT}/docker/valkey.conf --bind {ports.loopback()} --port {self.redis_port} --dir {self.home}/redis"
            ),
            "@redis:6379": f"@{ports.loopback()}:{self.redis_port}",
            "@postgres:5432": f"@{ports.loopback()}:{self.postgres.port}",
            "http://api-server:8080": f"http://{ports.loopback()}:{self.api_port}",
        }.items():
            text = text.replace(there, here)
        return text

    def environment(self, service: str, name: str) -> dict[str, str]:
        """Return the environment of a service's copy."""
        composed = image_environment() | self.services[service].environment
        env = {key: self.here(value, name) for key, value in composed.items()}
        served = str(self.log_ports.setdefault(name, ports.any_free()))
        # Programs of the image that this machine lacks are in a folder of the test's.
        path = [str(self.home / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        return {
            **env,
            "PATH": os.pathsep.join(path),
            "HOME": str(self.home),
            "AIRFLOW__API__HOST": ports.loopback(),
            "AIRFLOW__API__PORT": str(self.api_port),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": served,
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": served,
        }

    def start(self, name: str) -> None:
        """Start a copy of a service, for example ``scheduler-2``, or the only one, for example ``redis``."""
        service = name.rpartition("-")[0] if name[-1].isdigit() else name
        command = [self.here(word, name) for word in self.services[service].command]
        if service == "worker":
            command += ["--celery-hostname", f"celery@{name}"]
        command = self.host.command(command) if name in REMOTE else command
        self.processes.start(name, command, self.environment(service, name), last=service == "redis")

    def run(self, service: str) -> None:
        """Run a service that ends by itself, and fail with its output when it fails."""
        command = [self.here(word, service) for word in self.services[service].command]
        done = subprocess.run(command, env=self.environment(service, service), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def kill(self, name: str) -> None:
        """Kill all processes of a copy at once, as the kernel does in a container that is out of memory."""
        parent = psutil.Process(self.processes.pids[name])
        all_of_it = [parent, *parent.children(recursive=True)]
        for process in all_of_it:
            process.send_signal(signal.SIGSTOP)
        all_of_it += [child for child in parent.children(recursive=True) if child not in all_of_it]
        for process in all_of_it:
            process.send_signal(signal.SIGKILL)
        eventually(lambda: name in self.processes.ended)

    def restart_ended(self) -> None:
        """Start the copies again that have ended by themselves, as ``restart: unless-stopped`` does.

        A scheduler ends when Redis is away, because Celery keeps the states of its tasks there.
        """
        for name in self.names():
            if name in self.processes.ended:
                self.start(name)

    def names(self) -> list[str]:
        """Return the names of all copies."""
        return [f"{service}-{copy}" for service, copies in COPIES.items() for copy in range(1, copies + 1)]

    def health(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run the health check of a copy as its container would."""
        service = name.rpartition("-")[0]
        check = [*self.services[service].health, *(["--host", name] if service == "worker" else [])]
        return subprocess.run(
            self.host.command(check) if name in REMOTE else check,
            env=self.environment(service, name),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def api(self) -> AirflowApi:
        """Return a client of Airflow's API."""
        password = (self.home / "secrets" / "airflow_admin_password").read_text()
        return AirflowApi(f"http://{ports.loopback()}:{self.api_port}", "admin", password)


def eventually(condition: Any, seconds: float = 60, pause: float = 0.2) -> Any:
    """Return the condition's first true value; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(pause)
    return value
