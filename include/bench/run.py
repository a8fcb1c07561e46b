"""Measure whole runs in a real Airflow, beside plain tasks of the same shape in the same Airflow.

``ten``: ten streams of 30 s at once, beside ten tasks that sleep for 30 s and a sequential run (ten samples
of 10 s, scaled).
``makespan``: 200 streams of 5 s on accounts with 1, 2, 5 and unlimited connections and ten checks at once, over the
theoretical bound. ``cost``: the scheduling cost of a stream, by 1,000 streams that return 404, beside as many tasks
that do not sleep. ``scale``: the same with 10,000 streams; it takes more than half an hour and runs only when it is
named. Times are in seconds, between the start and the end of a run as Airflow records them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from streamflow import config, names
from streamflow.config import Config
from streamflow_stack import airflow, ports, stack
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.cli.demo import Lab, lab
from streamflow_stack.processes import Processes

PLAIN = Path(__file__).with_name("dags") / "plain.py"
CHAIN_SECONDS = 3600


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass(frozen=True)
class Chain:
    """The runs of a chain, as Airflow reports them."""

    runs: tuple[dict[str, Any], ...]

    @property
    def seconds(self) -> float:
        """Return the seconds from the first start to the last end."""
        return round(_moment(self.runs[-1]["end_date"]) - _moment(self.runs[0]["start_date"]), 2)


@dataclass(frozen=True)
class Bench:
    """A running stack over a library of the lab."""

    api: AirflowApi
    provider: Lab
    processes: Processes

    def ran(self, dag_id: str, conf: dict[str, Any]) -> Chain:
        """Run a DAG and wait for all runs of its chain."""
        first = self.api.trigger(dag_id, conf)
        runs = [self._ended(dag_id, first)]
        while True:
            following = f"{first}__part{len(runs) + 1}"
            path = f"/api/v2/dags/{dag_id}/dagRuns/{following}"
            if self.api.request("GET", path, missing_ok=True) is None:
                return Chain(tuple(runs))
            runs.append(self._ended(dag_id, following))

    def _ended(self, dag_id: str, run_id: str) -> dict[str, Any]:
        state = self.api.wait(dag_id, run_id, timeout=CHAIN_SECONDS)
        if state != "success":
            raise RuntimeError(f"{dag_id} {run_id} {state}")
        return self.api.run(dag_id, run_id)

    def took(self, dag_id: str, conf: dict[str, Any]) -> float:
        """Run a DAG and return the seconds from the first start to the last end of its chain."""
        return self.ran(dag_id, conf).seconds

    def moments(self, run: dict[str, Any]) -> dict[str, float]:
        """Return the events of a small run with their seconds since its start."""
        path = f"/api/v2/dags/check_streams/dagRuns/{run['dag_run_id']}/taskInstances"
        tasks = self.api.request("GET", path, params={"limit": 100})["task_instances"]

        def times(task_id: str, field: str) -> list[float]:
            found = [task[field] for task in tasks if task["task_id"] == task_id and task[field]]
            return sorted(round(_moment(text) - _moment(run["start_date"]), 2) for text in found)

        starts, ends = times(names.CHECK_TASK, "start_date"), times(names.CHECK_TASK, "end_date")
        return {
            "plan_started": times("plan", "start_date")[0],
            "plan_ended": times("plan", "end_date")[0],
            "first_check_started": starts[0],
            "last_check_started": starts[-1],
            "first_check_ended": ends[0],
            "last_check_ended": ends[-1],
            "leftover_ended": times("leftover", "end_date")[0],
            "summary_ended": times("summary", "end_date")[0],
            "run_ended": round(_moment(run["end_date"]) - _moment(run["start_date"]), 2),
        }

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds of each component of Airflow. ``tasks`` are the executor's processes."""
        taken: dict[str, float] = {}
        for part in airflow.COMPONENTS:
            process = psutil.Process(self.processes.pids[part])
            below = _ended_cpu(process) + sum(_own_cpu(p) + _ended_cpu(p) for p in process.children(recursive=True))
            if part == "scheduler":
                taken |= {part: _own_cpu(process), "tasks": below}
            else:
                taken[part] = _own_cpu(process) + below
        return taken

    def cpu_each(self, before: dict[str, float], streams: int) -> dict[str, float]:
        """Return the CPU seconds a stream since ``before``, by component."""
        return {part: round((taken - before[part]) / streams, 4) for part, taken in self.cpu().items()}

    def peaks(self) -> dict[str, int]:
        """Return each account's highest number of connections at once, as the provider counted them."""
        return {account["name"]: account["peak"] for account in self.provider.record()["accounts"]}


def _own_cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _ended_cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.children_user + times.children_system)


@contextmanager
def running(library: str, **settings: Any) -> Iterator[Bench]:
    """Run the stack over a library of the lab, in a temporary home."""
    with tempfile.TemporaryDirectory(prefix="streamflow-bench-") as folder:
        home = Path(folder)
        dags = home / "dags"
        shutil.copytree(airflow.root() / "dags", dags)
        shutil.copy(PLAIN, dags)
        os.environ["STREAMFLOW_HOME"] = str(home)
        config.save(Config.model_validate({"probe": {"thumbnails": False}} | settings))
        with stack.owned(home), Processes(home) as processes, lab(processes, home, library) as provider:
            env = {
                "DISPATCHARR_URL": provider.dispatcharr,
                "DISPATCHARR_USERNAME": provider.username,
                "DISPATCHARR_PASSWORD": provider.password,
                "DISPATCHARR_API_KEY": "",
                "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            }
            with stack.running(home, stack.Options(ports.any_free(), env), processes, lambda _: None) as up:
                api = up.api()
                while not api.has_dag("plain"):
                    processes.check()
                refresh = api.trigger(names.REFRESH_DAG, {})
                api.wait(names.REFRESH_DAG, refresh, timeout=300)
                yield Bench(api, provider, processes)


def ten() -> Iterator[dict[str, Any]]:
    """Measure ten streams of 30 s with limit 10."""
    with running("ten") as bench:
        # The first run of each DAG pays for parsing and for cold workers, so it is not measured.
        bench.took(names.CHECK_DAG, {"force": True, "sample_seconds": 1})
        bench.took("plain", {"seconds": 1})
        ours = bench.ran(names.CHECK_DAG, {"force": True, "sample_seconds": 30})
        plain = bench.took("plain", {"seconds": 30})
        one_by_one = bench.took(names.CHECK_DAG, {"force": True, "sample_seconds": 10, "mode": "sequential"})
        yield {
            "bench": "ten_by_30s",
            "concurrent_s": ours.seconds,
            "plain_tasks_s": plain,
            "sequential_s": round(one_by_one + 10 * 20, 2),
            "peak": bench.peaks(),
        }
        yield {"bench": "where_the_time_goes", "of": "ten_by_30s", "seconds": bench.moments(ours.runs[0])}


def makespan(streams: int = 200, seconds: float = 5) -> Iterator[dict[str, Any]]:
    """Measure 200 streams of 5 s on four accounts with limits 1, 2, 5 and 0, and ten checks at once."""
    with running("makespan") as bench:
        bench.took(names.CHECK_DAG, {"force": True, "sample_seconds": 0.5, "stream_ids": [1, 2, 3, 4]})
        took = bench.took(names.CHECK_DAG, {"force": True, "sample_seconds": seconds})
        # The account with one connection always takes longest.
        bound = max(streams / 4 / 1 * seconds, streams / 10 * seconds)
        yield {
            "bench": "makespan",
            "took_s": took,
            "bound_s": bound,
            "ratio": round(took / bound, 3),
            "peak": bench.peaks(),
        }


def cost() -> Iterator[dict[str, Any]]:
    """Measure 1,000 streams that end at once."""
    settings = {"concurrent_streams": {"stagger_delay": 0}, "probe": {"retries": 0}}
    with running("gone", **settings) as bench:
        bench.took(names.CHECK_DAG, {"force": True, "channel_ids": [1]})
        before = bench.cpu()
        ours = bench.took(names.CHECK_DAG, {"force": True, "write_back": False})
        cpu = bench.cpu_each(before, 1000)
        plain = sum(bench.took("plain", {"tasks": 500, "seconds": 0}) for _ in range(2))
        yield {
            "bench": "cost_of_a_stream",
            "streams": 1000,
            "seconds_each": round(ours / 1000, 4),
            "plain_tasks_seconds_each": round(plain / 1000, 4),
            "cpu_s_each": cpu,
        }


def scale(streams: int = 10_000) -> Iterator[dict[str, Any]]:
    """Measure a chain of runs over 10,000 streams: the cost of a stream, first and last, and the database."""
    settings = {"concurrent_streams": {"stagger_delay": 0}, "probe": {"retries": 0}}
    with running("many", **settings) as bench:
        bench.took(names.CHECK_DAG, {"force": True, "channel_ids": [1]})
        before = bench.cpu()
        chain = bench.ran(names.CHECK_DAG, {"force": True, "write_back": False})
        each = [Chain((run,)).seconds / (streams / len(chain.runs)) for run in chain.runs]
        database = Path(os.environ["STREAMFLOW_HOME"]) / "airflow" / "airflow.db"
        yield {
            "bench": "scale",
            "streams": streams,
            "runs": len(chain.runs),
            "seconds_each": round(chain.seconds / streams, 4),
            "seconds_each_in_first_runs": round(sum(each[:2]) / 2, 4),
            "seconds_each_in_last_runs": round(sum(each[-2:]) / 2, 4),
            "cpu_s_each": bench.cpu_each(before, streams),
            "metadata_database_mb": round(database.stat().st_size / 1e6, 1),
        }


FIGURES = {"ten": ten, "makespan": makespan, "cost": cost}
LONG_FIGURES = {"scale": scale}


def main(names: list[str]) -> None:
    """Print the named figures, or all figures except the long ones."""
    for name in names or FIGURES:
        for figure in (FIGURES | LONG_FIGURES)[name]():
            print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
