from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.utils.state import TaskInstanceState as State

from stream_tasks.executor import LocalExecutor, local_executor


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> LocalExecutor:
    """One that starts no process: its ends are told by the test."""
    monkeypatch.setattr(local_executor.LocalExecutor, "_process_workloads", lambda self, workloads: None)
    return LocalExecutor(parallelism=1)


def test_the_end_of_a_task_is_told(executor: LocalExecutor) -> None:
    executor._process_workloads([SimpleNamespace(key="task")])
    executor.change_state("task", State.RUNNING)  # type: ignore[arg-type]
    executor.change_state("task", State.SUCCESS)  # type: ignore[arg-type]
    assert executor.event_buffer == {"task": (State.SUCCESS, None)}


@pytest.mark.parametrize("end", [State.SUCCESS, State.FAILED])
def test_the_end_of_a_deferred_part_that_comes_after_its_resumption_is_not(executor: LocalExecutor, end: State) -> None:
    for _ in ("until it was deferred", "from its resumption on"):
        executor._process_workloads([SimpleNamespace(key="task")])
    executor.change_state("task", end)
    assert executor.event_buffer == {}
    executor.change_state("task", State.FAILED)
    assert executor.event_buffer == {"task": (State.FAILED, None)}


def test_parts_whose_ends_come_in_time_are_all_told(executor: LocalExecutor) -> None:
    for _ in range(3):
        executor._process_workloads([SimpleNamespace(key="task")])
        executor.change_state("task", State.SUCCESS)
        assert executor.event_buffer.pop("task") == (State.SUCCESS, None)
