"""Runs Airflow's parts as forks of one process, so that the modules they share are loaded once and in memory once.

``python -m streamflow_stack.zygote LOGS PART…`` runs ``airflow PART`` for each part, with its output in
``LOGS/PART.log``. Options follow a part behind commas: ``scheduler,--skip-serve-logs``. A part that ends is started
again; when it ends soon after its start, this process ends too, with the same status.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from importlib import import_module
from pathlib import Path

from streamflow_stack.restart import RestartPolicy, Restarts

# The modules that at least two of the parts load.
SHARED = (
    "airflow.__main__",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.dag_processing.manager",
    "airflow.sdk.execution_time.supervisor",
    "airflow.api_fastapi.execution_api.app",
    "airflow.cli.commands.dag_processor_command",
    "airflow.cli.commands.scheduler_command",
    "airflow.cli.commands.triggerer_command",
    "airflow.utils.db",
    "alembic.command",
    "cryptography.x509",
    "pygments.lexers",
    "uvicorn",
)


def load() -> None:
    """Load the modules that the parts share, and the plugins as a scheduler loads them."""
    sys.argv = ["airflow", "scheduler"]
    for module in SHARED:
        import_module(module)
    # A garbage collection would write into every object, and copy the pages that the parts share.
    gc.collect()
    gc.freeze()


def run(part: str, log: Path) -> None:
    """Become ``airflow PART`` in a process that was just forked.

    :param part: the part's name and its options, with commas between them.
    """
    name, *options = part.split(",")
    os.setsid()
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.argv = ["airflow", name, *options]
    from setproctitle import setproctitle

    setproctitle(f"airflow {name}")
    import_module("airflow.__main__").main()


def main(logs: Path, parts: list[str]) -> None:
    """Keep the parts running until one of them cannot live."""
    load()
    restarts = {part: Restarts(RestartPolicy()) for part in parts}
    running: dict[int, tuple[str, float]] = {}
    to_start = parts
    while True:
        for part in to_start:
            pid = os.fork()
            if pid == 0:
                run(part, logs / f"{part.partition(',')[0]}.log")
                return
            running[pid] = part, time.monotonic()
        pid, status = os.wait()
        if pid not in running:
            # The fork server of the probes, which the tasks' plugin has started here.
            to_start = []
            continue
        part, started_at = running.pop(pid)
        print(f"{part} has ended: see its log", flush=True)
        pause = restarts[part].after(time.monotonic() - started_at)
        if pause is None:
            sys.exit(os.waitstatus_to_exitcode(status) or 1)
        time.sleep(pause)
        to_start = [part]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
