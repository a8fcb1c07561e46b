"""Airflow's database of the embedded stack: its tables and pools."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from streamflow import config
from streamflow_stack import airflow
from streamflow_stack.pools import pools
from streamflow_stack.processes import PRIVATE, StackError, tail


def prepare(home: Path, env: Mapping[str, str], settings: config.Config) -> None:
    """Bring the tables up to the installed version of Airflow and make the pools.

    It must end before the API server starts: over SQLite, a request that makes a pool and a task that reports its
    state block each other.

    :raises StackError: A command of Airflow failed.
    """
    log = home / "logs" / "database.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    # `airflow db migrate` takes seconds even when there is nothing to do.
    stamp, version = home / "airflow" / "migrated", metadata.version("apache-airflow")
    if not stamp.exists() or stamp.read_text() != version:
        _run(["db", "migrate"], env, log)
        stamp.write_text(version)
    file = home / "airflow" / "pools.json"
    file.write_text(json.dumps(pools(settings)))
    _run(["pools", "import", str(file)], env, log)


def _run(arguments: list[str], env: Mapping[str, str], log: Path) -> None:
    command = [airflow.executable(), *arguments]
    with log.open("ab") as output:
        done = subprocess.run(command, env=dict(env), stdout=output, stderr=output, umask=PRIVATE)
    if done.returncode:
        raise StackError(f"airflow {' '.join(arguments[:2])} failed; the end of {log}:\n{tail(log)}")
