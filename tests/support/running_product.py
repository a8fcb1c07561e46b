"""The running product as its tests use it, through the interfaces of a user."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import psutil

from lab import Library
from streamflow.config import Config
from streamflow.names import CHECK_DAG
from streamflow_stack import stack
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.cli.demo import Lab

API = "/api/stream-checker"


@dataclass(frozen=True)
class Product:
    """The running product: its stack, its API, the lab's provider and library, and the commands."""

    stack: stack.Stack
    provider: Lab
    library: Library
    api: AirflowApi

    @property
    def home(self) -> Path:
        """The home of the stack."""
        return self.stack.home

    def check(self, *, timeout: float = 240, **conf: Any) -> dict[str, Any]:
        """Run ``check_streams`` through Airflow's REST API and return the finished run."""
        run_id = self.api.trigger(CHECK_DAG, {"force": True} | conf)
        assert self.api.wait(CHECK_DAG, run_id, timeout=timeout, poll=0.5) == "success"
        return self.run(run_id)

    def url(self, stream_id: int) -> str:
        """Return the URL of a stream in the lab's Dispatcharr."""
        state = httpx.get(f"{self.provider.dispatcharr}/lab/dispatcharr").raise_for_status().json()
        return str(next(one["url"] for one in state["streams"] if one["id"] == stream_id))

    def run(self, run_id: str) -> dict[str, Any]:
        """Return a run as ``GET /runs/{run_id}`` does."""
        return dict(self.api.request("GET", f"{API}/runs/{quote(run_id, safe='')}"))

    def tasks(self, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run as Airflow describes them."""
        path = f"/api/v2/dags/{CHECK_DAG}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        return list(self.api.request("GET", path, params={"limit": 1000})["task_instances"])

    def status(self) -> dict[str, Any]:
        """Return the slots in use."""
        return dict(self.api.request("GET", f"{API}/concurrency/status"))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ``./streamflow``."""
        return subprocess.run(
            [sys.executable, "-m", "streamflow_stack.cli", *arguments],
            env=dict(self.stack.env) | {"STREAMFLOW_HOME": str(self.home), "COLUMNS": "200"},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=180,
        )


def probing(product: Product) -> list[psutil.Process]:
    """Return the processes of tasks that have a connection to the provider."""
    port = urlsplit(product.provider.provider).port
    processes = []
    for process in psutil.Process(product.stack.processes.pids["scheduler"]).children(recursive=True):
        try:
            if any(one.raddr and one.raddr.port == port for one in process.net_connections(kind="tcp")):
                processes.append(process)
        except psutil.Error:
            continue
    return processes


def within_limits(product: Product) -> bool:
    """Return whether the provider, by its own count since it was reset, saw no connection above any limit."""
    record = product.provider.record()
    assert record["global"]["peak"] <= Config().concurrent_streams.global_limit
    return all(a["max_streams"] == 0 or a["peak"] <= a["max_streams"] for a in record["accounts"]) and not any(
        a["refused"] for a in record["accounts"]
    )


def eventually(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Return the condition's first true value; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.2)
    return value
