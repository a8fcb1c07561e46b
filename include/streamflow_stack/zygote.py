"""Airflow's parts from one process: what all of them load is loaded once, and lies in memory once.

``python -m streamflow_stack.zygote LOGS PART…`` runs ``airflow PART`` for each part, its options behind a comma each
(``scheduler,--skip-serve-logs``), with its output in ``LOGS/PART.log``. A part that ends is started again; when it ends
soon after its start, this process ends too.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from importlib import import_module
from pathlib import Path

# What at least two of the parts load. The scheduler's also makes the plugins load what tasks need: see preload.
SHARED = (
    "airflow.__main__",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.dag_processing.manager",
    "airflow.sdk.execution_time.supervisor",
)


# Seconds. A part that lives no longer cannot live: starting it again would not help.
SHORT_LIFE = 30.0


def load() -> None:
    """Load what the parts share, as if for the scheduler."""
    sys.argv = ["airflow", "scheduler"]
    for module in SHARED:
        import_module(module)
    # A collection would write into every object, and so undo what the parts share.
    gc.collect()
    gc.freeze()


def run(part: str, options: list[str], log: Path) -> None:
    """Become ``airflow PART``, in a process that was just forked."""
    os.setsid()
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.argv = ["airflow", part, *options]
    from setproctitle import setproctitle

    setproctitle(f"airflow {part}")
    import_module("airflow.__main__").main()


def main(logs: Path, parts: list[str]) -> None:
    load()
    wanted, running = list(parts), {}
    while True:
        for told in wanted:
            part, *options = told.split(",")
            pid = os.fork()
            if pid == 0:
                run(part, options, logs / f"{part}.log")
                return
            running[pid] = told, time.monotonic()
        pid, status = os.wait()
        told, since = running.pop(pid)
        print(f"{told} has ended: see its log", flush=True)
        if time.monotonic() - since < SHORT_LIFE:
            sys.exit(os.waitstatus_to_exitcode(status) or 1)
        wanted = [told]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
