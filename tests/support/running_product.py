"""The running product as its tests use it: what a user has before them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psutil

from lab import Library
from streamflow_stack import stack
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.cli.demo import Lab

API = "/api/stream-checker"


@dataclass(frozen=True)
class Product:
    """What a user has: the UI's API, the provider's own counters, Dispatcharr, and the commands."""

    stack: stack.Stack
    provider: Lab
    library: Library
    api: AirflowApi

    @property
    def home(self) -> Path:
        return self.stack.home

    def check(self, *, timeout: float = 240, **conf: Any) -> dict[str, Any]:
        """Run ``check_streams`` through Airflow's REST API, and what the API tells of the run at its end."""
        run_id = self.api.trigger("check_streams", {"force": True} | conf)
        assert self.api.wait("check_streams", run_id, timeout=timeout, poll=0.5) == "success"
        return self.run(run_id)

    def run(self, run_id: str) -> dict[str, Any]:
        return dict(self.api.request("GET", f"{API}/runs/{quote(run_id, safe='')}"))

    def tasks(self, run_id: str) -> list[dict[str, Any]]:
        path = f"/api/v2/dags/check_streams/dagRuns/{quote(run_id, safe='')}/taskInstances"
        return list(self.api.request("GET", path, params={"limit": 1000})["task_instances"])

    def status(self) -> dict[str, Any]:
        return dict(self.api.request("GET", f"{API}/concurrency/status"))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of the commands of ``./streamflow``."""
        return subprocess.run(
            [sys.executable, "-m", "streamflow_stack.cli", *arguments],
            env=dict(self.stack.env) | {"STREAMFLOW_HOME": str(self.home), "COLUMNS": "200"},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=180,
        )


def probing(product: Product) -> list[psutil.Process]:
    """The tasks' processes that have a connection to the provider."""
    port = urlsplit(product.provider.provider).port
    found = []
    for process in psutil.Process(product.stack.processes.pids["scheduler"]).children(recursive=True):
        try:
            if any(one.raddr and one.raddr.port == port for one in process.net_connections(kind="tcp")):
                found.append(process)
        except psutil.Error:
            continue
    return found


def eventually(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """The condition's first true answer; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it has not happened in time"
        time.sleep(0.2)
    return answer
