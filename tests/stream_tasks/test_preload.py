from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]

# Runs in a process of its own: the test's process has loaded most of the modules already.
PARSE_DAG = """
import json, sys
from airflow import plugins_manager
sys.argv[:1] = ["airflow"]
plugins_manager.ensure_plugins_loaded()
from airflow.sdk.plugins_manager import _get_plugins
known = _get_plugins.cache_info().currsize
before = set(sys.modules)
from airflow.dag_processing.dagbag import BundleDagBag
bag = BundleDagBag(dag_folder=DAG, safe_mode=False, bundle_path=FOLDER, bundle_name="dags-folder")
new = {name for name in set(sys.modules) - before if not name.startswith("unusual_prefix")}
print(json.dumps({"dags": list(bag.dags), "new": sorted(new), "sdk_plugins": known,
    "connections": "airflow.sdk.execution_time.cache" in before}))
"""


def loaded(tmp_path: Path, command: str) -> dict[str, list[str]]:
    folder = PROJECT / "dags"
    code = f"DAG = {str(folder / 'check_streams.py')!r}\nFOLDER = {str(folder)!r}\n" + PARSE_DAG
    env = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": f"{PROJECT / 'include'}:{PROJECT / 'plugins'}",
    }
    done = subprocess.run([sys.executable, "-c", code, command], env=env, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_task_forked_from_the_scheduler_has_nothing_left_to_import_for_its_dag(tmp_path: Path) -> None:
    state = loaded(tmp_path, "scheduler")
    assert state["dags"] == ["check_streams"]
    assert state["new"] == []
    assert state["sdk_plugins"] == 1
    # A thread that looks a connection up, while a task is forked, imports nothing.
    assert state["connections"]


def test_a_process_that_forks_no_tasks_loads_nothing_in_advance(tmp_path: Path) -> None:
    assert "stream_tasks.check" in loaded(tmp_path, "api-server")["new"]
