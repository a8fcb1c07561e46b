"""Airflow and the limiter serve a run that a person asked for before the nightly ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream_tasks.priority import head_start


@pytest.mark.parametrize(
    ("run_id", "hours"),
    [
        ("schedule__night__2026-01-02T03:00:00+00:00", 0),
        ("schedule__night__2026-01-02T03:00:00+00:00__part2", 0),
        ("manual__2026-01-02T20:00:00+00:00", 24),
        ("hook__2026-01-02T20:00:00+00:00", 24),
    ],
)
def test_a_run_that_was_requested_goes_before_a_nightly_one(run_id: str, hours: int) -> None:
    assert head_start(run_id) == hours


# Runs in a process of its own, over a database of its own: Airflow reads its settings when it is imported. The
# scheduler orders tasks of one weight by the date of their run, and databases differ in where they place none.
WAITING_CHECKS = """
import json
from pathlib import Path
from airflow import settings
from airflow._shared.timezones import timezone
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.models import import_all_models
from airflow.models.base import Base
settings.configure_orm()
import_all_models()
Base.metadata.create_all(settings.engine)
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState as State
from streamflow import names

folder = Path("dags")
parsed = BundleDagBag(dag_folder=folder / "check_streams.py", safe_mode=False, bundle_path=folder, bundle_name="bundle")
dag = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(parsed.dags[names.CHECK_DAG]))))
task = dag.get_task(names.CHECK_TASK)
runs = {"schedule__night__1": 30, "manual__1": 2}
with create_session() as session:
    session.add(DagBundleModel(name="bundle"))
    session.add(Pool(pool=names.CHECK_POOL, slots=3, include_deferred=False))
    session.flush()
    session.add(DagModel(dag_id=dag.dag_id, bundle_name="bundle", is_paused=False, max_active_tasks=99,
                         has_task_concurrency_limits=False))
    session.flush()
    for run_id, checks in runs.items():
        run = DagRun(dag_id=dag.dag_id, run_id=run_id, run_type="manual", state=DagRunState.RUNNING,
                     run_after=timezone.utcnow())
        session.add(run)
        session.flush()
        rows = [TaskInstance.insert_mapping(run_id, task, i, dag_version_id=None, dag_run=run) for i in range(checks)]
        session.bulk_insert_mappings(TaskInstance.__mapper__, [{**row, "state": State.SCHEDULED} for row in rows])
    session.flush()
    scheduler = SchedulerJobRunner(job=Job())
    ready = scheduler._executable_task_instances_to_queued(max_tis=3, session=session)
    print(json.dumps([task.run_id for task in ready]))
"""


def test_a_check_that_was_requested_does_not_wait_for_a_slot_of_the_pool_behind_nightly_ones(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    env = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "STREAMFLOW_HOME": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", WAITING_CHECKS], env=env, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["manual__1", "manual__1", "schedule__night__1"]
