"""The end of a deferred task's first process never fails the task, and Airflow alone still needs that help."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.executors import base_executor
from airflow.utils.state import TaskInstanceState as State

from streamflow_stack import ports
from streamflow_stack.executor import LocalExecutor, await_api, identifies_processes, local_executor

ALIVE = SimpleNamespace(is_alive=lambda: True)


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> LocalExecutor:
    """An executor that starts no process: the test reports the states."""
    monkeypatch.setattr(local_executor.LocalExecutor, "_process_workloads", lambda self, workloads: None)
    return LocalExecutor(parallelism=1)


def test_the_end_of_a_task_is_reported(executor: LocalExecutor) -> None:
    executor._process_workloads([SimpleNamespace(key="task")])
    executor.change_state("task", State.RUNNING)
    executor.change_state("task", State.SUCCESS)
    assert executor.event_buffer == {"task": (State.SUCCESS, None)}


@pytest.mark.parametrize("end", [State.SUCCESS, State.FAILED])
def test_the_end_of_a_process_whose_successor_has_started_is_not_reported(executor: LocalExecutor, end: State) -> None:
    for _ in ("until it was deferred", "from its resumption on"):
        executor._process_workloads([SimpleNamespace(key="task")])
    executor.change_state("task", end)
    assert executor.event_buffer == {}
    executor.change_state("task", State.FAILED)
    assert executor.event_buffer == {"task": (State.FAILED, None)}


def test_ends_that_arrive_before_the_next_start_are_all_reported(executor: LocalExecutor) -> None:
    for _ in range(3):
        executor._process_workloads([SimpleNamespace(key="task")])
        executor.change_state("task", State.SUCCESS)
        assert executor.event_buffer.pop("task") == (State.SUCCESS, None)
    assert not executor._unfinished


def test_arguments_of_a_newer_airflow_are_passed_on_and_end_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    reported = []

    def change_state(self: Any, key: Any, state: Any, info: Any = None, *, workload_run_id: str | None = None) -> None:
        reported.append((key, state, info, workload_run_id))

    monkeypatch.setattr(base_executor.BaseExecutor, "change_state", change_state)
    monkeypatch.setattr(local_executor.LocalExecutor, "_process_workloads", lambda self, workloads: None)
    executor = LocalExecutor(parallelism=1)
    for _ in range(2):
        executor._process_workloads([SimpleNamespace(key="task")])
    executor.change_state("task", State.SUCCESS, "info", workload_run_id="first")
    assert reported == [("task", State.SUCCESS, "info", "first")]


def test_the_executor_waits_until_the_api_server_responds() -> None:
    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/execution/health" else 404)
            self.end_headers()

        def log_message(self, *parts: object) -> None:
            """Keep quiet."""

    port = ports.any_free()
    url = f"http://127.0.0.1:{port}/execution/"
    assert not await_api(url, seconds=0.2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(await_api, url, 10)
        time.sleep(0.2)
        assert not waiting.done()
        with HTTPServer(("127.0.0.1", port), Health) as server:
            server.timeout = 5
            server.handle_request()
            assert waiting.result()


def test_workers_are_started_for_tasks_and_ended_when_they_are_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = LocalExecutor(parallelism=3)
    monkeypatch.setattr(executor, "_spawn_worker", lambda: executor.workers.update({len(executor.workers): ALIVE}))
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr("streamflow_stack.executor.await_api", lambda url: True)
    executor.start()
    assert executor.workers == {}
    executor.activity_queue = SimpleNamespace(put=lambda _: None, empty=lambda: False)  # type: ignore[assignment]
    for batch, count in enumerate((1, 2, 2)):
        tasks = {f"{batch}-{key}": SimpleNamespace(key=f"{batch}-{key}") for key in range(count)}
        executor.queued_tasks.update(tasks)  # type: ignore[arg-type]
        executor._process_workloads(list(tasks.values()))
    assert len(executor.workers) == 3
    for key in list(executor._unfinished):
        executor.change_state(key, State.SUCCESS)
    executor._unread_messages.value = 0
    sent: list[Any] = []
    executor.activity_queue = SimpleNamespace(put=sent.append, empty=lambda: True)  # type: ignore[assignment]
    executor.sync()
    assert sent == []
    monkeypatch.setattr("streamflow_stack.executor.IDLE_SECONDS", 0.0)
    executor.sync()
    assert sent == [None, None]


# Runs in a process of its own, over a database of its own: Airflow reads its settings when it is imported.
RESUMED_TASK = """
import json
from types import SimpleNamespace
from uuid import uuid4
from sqlalchemy import insert, select
from airflow import settings
from airflow.models import import_all_models
from airflow.models.base import Base
settings.configure_orm()
import_all_models()
Base.metadata.create_all(settings.engine)
from airflow.executors.local_executor import LocalExecutor as Upstream
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState as State
from airflow._shared.timezones import timezone
from streamflow_stack import executor as ours

def mismatches(executor, run_id):
    executor.start = executor._check_workers = lambda: None
    executor.activity_queue, executor.queued_tasks = SimpleNamespace(put=lambda _: None), {}
    executor._unread_messages = __import__("multiprocessing").Value("I", 0)
    with create_session() as session:
        session.add(DagRun(dag_id="dag", run_id=run_id, run_type="manual", run_after=timezone.utcnow()))
        session.flush()
        session.execute(insert(TaskInstance.__table__).values(
            id=uuid4(), task_id="task", dag_id="dag", run_id=run_id, map_index=-1, try_number=1, max_tries=2,
            state=State.RUNNING, next_method="execute_complete", pool="default_pool", pool_slots=1, queue="default",
            priority_weight=1, operator="Sensor", span_status="not_started"))
        key = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id)).one().key
        for _ in ("until it was deferred", "from its resumption on"):
            executor.queued_tasks[key] = workload = SimpleNamespace(key=key)
            executor._process_workloads([workload])
        executor.change_state(key, State.SUCCESS)
        SchedulerJobRunner.process_executor_events(executor, None, None, session)
        session.flush()
        return len(session.scalars(select(Log).where(Log.run_id == run_id, Log.event == "state mismatch")).all())

with create_session() as session:
    session.add(DagBundleModel(name="bundle"))
    session.flush()
    session.add(DagModel(dag_id="dag", bundle_name="bundle"))
executors = {"upstream": Upstream(parallelism=1), "ours": ours.LocalExecutor(parallelism=1)}
print(json.dumps({name: mismatches(executor, name) for name, executor in executors.items()}))
"""


def test_airflows_own_executor_still_fails_a_resumed_task_for_the_end_of_its_first_process(tmp_path: Path) -> None:
    env = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run([sys.executable, "-c", RESUMED_TASK], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    mismatches = json.loads(done.stdout.splitlines()[-1])
    assert mismatches["ours"] == 0
    assert mismatches["upstream"] == 1 and not identifies_processes(local_executor.LocalExecutor), (
        "the installed Airflow ignores the end of a deferred task's first process: remove streamflow_stack.executor"
    )
