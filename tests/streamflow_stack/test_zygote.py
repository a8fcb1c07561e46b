"""Parts of Airflow are forks of one process, each with its own log, and end with each other."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path


def test_a_part_writes_its_own_log_and_its_end_is_reported(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "streamflow_stack.zygote", tmp_path, "version"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr[-2000:]
    assert done.stdout.endswith("version has ended: see its log\n")
    assert metadata.version("apache-airflow-core") in (tmp_path / "version.log").read_text()


def test_options_reach_their_part(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "AIRFLOW_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "streamflow_stack.zygote", tmp_path, "config,list,--section,celery"], env=env)
    assert "[celery]" in (tmp_path / "config.log").read_text()
