"""How long whole runs take in a real Airflow, beside plain tasks of the same shape in the same Airflow.

Three figures, each a JSON object a line: ten streams of 30 s at once, beside ten tasks that sleep as long (the
sequential run beside it is ten samples of ten, scaled); 200 streams of 5 s on accounts with 1, 2, 5 and unlimited
connections and ten at once, over the theoretical bound; and the cost of a stream in scheduling, by 1,000 streams that
answer 404, beside as many tasks that sleep for no time. Times in seconds, as Airflow notes a run's start and end.
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

from streamflow import config
from streamflow.cli.demo import Lab, lab
from streamflow.config import Config
from streamflow.stack import airflow, ports, stack
from streamflow.stack.airflow_api import AirflowApi
from streamflow.stack.processes import Processes

PLAIN = airflow.root() / "include" / "lab" / "dags" / "plain.py"
CHAIN_SECONDS = 3600


@dataclass(frozen=True)
class Bench:
    """A running stack over a lab's library."""

    api: AirflowApi
    provider: Lab

    def took(self, dag_id: str, conf: dict[str, Any]) -> float:
        """Run a DAG, and the runs of its chain; answers the seconds from the first start to the last end."""
        first = self.api.trigger(dag_id, conf)
        run_id, number = first, 1
        start: datetime | None = None
        while True:
            state = self.api.wait(dag_id, run_id, timeout=CHAIN_SECONDS)
            if state != "success":
                raise RuntimeError(f"{dag_id} {run_id} {state}")
            run = self.api.run(dag_id, run_id)
            start = start or datetime.fromisoformat(run["start_date"])
            number += 1
            following = f"{first}__part{number}"
            path = f"/api/v2/dags/{dag_id}/dagRuns/{following}"
            if self.api.request("GET", path, missing_ok=True) is None:
                return round((datetime.fromisoformat(run["end_date"]) - start).total_seconds(), 2)
            run_id = following

    def peaks(self) -> dict[str, int]:
        """The most connections at once, by account, as the provider counted them."""
        return {account["name"]: account["peak"] for account in self.provider.record()["accounts"]}


@contextmanager
def running(library: str, **settings: Any) -> Iterator[Bench]:
    """The stack over a library of the lab, in a home that goes with it."""
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
            with stack.running(home, ports.any_free(), env, lambda _: None, processes) as up:
                api = up.api()
                while not api.has_dag("plain"):
                    processes.check()
                refresh = api.trigger("refresh_udi", {})
                api.wait("refresh_udi", refresh, timeout=300)
                yield Bench(api, provider)


def ten() -> Iterator[dict[str, Any]]:
    """Ten streams of 30 s, limit 10."""
    with running("ten") as bench:
        # The first run of each waits for what is done once: parsing, pools, a warm worker.
        bench.took("check_streams", {"force": True, "sample_seconds": 1})
        bench.took("plain", {"seconds": 1})
        ours = bench.took("check_streams", {"force": True, "sample_seconds": 30})
        plain = bench.took("plain", {"seconds": 30})
        one_by_one = bench.took("check_streams", {"force": True, "sample_seconds": 10, "mode": "sequential"})
        yield {
            "bench": "ten_by_30s",
            "concurrent_s": ours,
            "plain_tasks_s": plain,
            "sequential_s": round(one_by_one + 10 * 20, 2),
            "peak": bench.peaks(),
        }


def makespan(streams: int = 200, seconds: float = 5) -> Iterator[dict[str, Any]]:
    """200 streams of 5 s on four accounts with limits 1, 2, 5, 0 and ten at once."""
    with running("makespan") as bench:
        bench.took("check_streams", {"force": True, "sample_seconds": 0.5, "stream_ids": [1, 2, 3, 4]})
        took = bench.took("check_streams", {"force": True, "sample_seconds": seconds})
        # The account with one connection is the longest, whatever the others do.
        bound = max(streams / 4 / 1 * seconds, streams / 10 * seconds)
        yield {
            "bench": "makespan",
            "took_s": took,
            "bound_s": bound,
            "ratio": round(took / bound, 3),
            "peak": bench.peaks(),
        }


def cost() -> Iterator[dict[str, Any]]:
    """1,000 streams that end at once."""
    settings = {"concurrent_streams": {"stagger_delay": 0}, "probe": {"retries": 0}}
    with running("gone", **settings) as bench:
        bench.took("check_streams", {"force": True, "channel_ids": [1]})
        ours = bench.took("check_streams", {"force": True, "write_back": False})
        plain = sum(bench.took("plain", {"tasks": 500, "seconds": 0}) for _ in range(2))
        yield {
            "bench": "cost_of_a_stream",
            "streams": 1000,
            "seconds_each": round(ours / 1000, 4),
            "plain_tasks_seconds_each": round(plain / 1000, 4),
        }


FIGURES = {"ten": ten, "makespan": makespan, "cost": cost}


def main(names: list[str]) -> None:
    for name in names or FIGURES:
        for figure in FIGURES[name]():
            print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
