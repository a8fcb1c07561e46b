"""Check the limits while checks are killed at random and Redis is restarted. The provider counts the connections."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import psutil

from bench.run import Bench, running
from streamflow import names
from streamflow_stack import redis

STREAMS, SAMPLE_SECONDS = 100, 2
KILL_EVERY, REDIS_EVERY = 4.0, 45.0
MOST_KILLED, MOST_RESTARTS = 40, 4
RUN_SECONDS = 1500


def kill_one(bench: Bench) -> bool:
    """Kill the process of a random task by SIGKILL. Return False when no task runs."""
    try:
        workers = psutil.Process(bench.processes.pids["scheduler"]).children()
        tasks = [task for worker in workers for task in worker.children()]
        if tasks:
            random.choice(tasks).kill()  # noqa: S311 - any will do
    except psutil.NoSuchProcess:
        # The process has ended already.
        return False
    return bool(tasks)


def restart_redis(bench: Bench) -> None:
    """Kill the embedded Redis, which the supervisor then starts again."""
    os.kill(bench.processes.pids[redis.NAME], signal.SIGKILL)


def main() -> None:
    """Print one JSON object for a run over accounts with limits 1, 2, 5 and 0, and ten checks at once."""
    with running("makespan", concurrent_streams={"lease_ttl": 10}, probe={"retry_delay": 2}) as bench:
        asked = {"force": True, "sample_seconds": SAMPLE_SECONDS, "stream_ids": list(range(1, STREAMS + 1))}
        run_id = bench.api.trigger(names.CHECK_DAG, asked)
        began, killed, restarted = time.monotonic(), 0, 0
        while bench.api.run(names.CHECK_DAG, run_id)["state"] not in ("success", "failed"):
            if time.monotonic() - began > RUN_SECONDS:
                raise RuntimeError(f"{run_id} has not ended after {RUN_SECONDS} s")
            time.sleep(KILL_EVERY)
            if killed < MOST_KILLED:
                killed += kill_one(bench)
            if restarted < min(MOST_RESTARTS, (time.monotonic() - began) // REDIS_EVERY):
                restart_redis(bench)
                restarted += 1
        verdicts = bench.api.request("GET", f"/api/stream-checker/runs/{run_id}")["verdicts"]
        accounts = bench.provider.record()["accounts"]
    figure = {
        "bench": "limits_under_faults",
        "streams": STREAMS,
        "checks_killed": killed,
        "redis_restarted": restarted,
        "took_s": round(time.monotonic() - began, 1),
        "verdicts": verdicts,
        "limits": {account["name"]: account["max_streams"] for account in accounts},
        "peak": {account["name"]: account["peak"] for account in accounts},
        "exceeded": sum(account["refused"] + account["cut"] for account in accounts),
    }
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
