"""Airflow's LocalExecutor, for tasks that are deferred and go on within moments.

A deferred task ends its process, and goes on in another under the same key. The scheduler takes an end that it hears of
only after the task was started again for the end of the task itself, and fails it. Here each end is counted against the
starts of its key: one that is not the last start's is nobody's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from airflow.executors import local_executor
from airflow.utils.state import TaskInstanceState

ENDS = (TaskInstanceState.SUCCESS, TaskInstanceState.FAILED)


class LocalExecutor(local_executor.LocalExecutor):
    """Tells the scheduler of a task's end only when no later part of it has been started."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._started: Counter[Any] = Counter()

    def _process_workloads(self, workload_list: Sequence[Any]) -> None:
        self._started.update(workload.key for workload in workload_list)
        super()._process_workloads(workload_list)  # type: ignore[no-untyped-call]

    def change_state(self, key: Any, state: Any, info: Any = None, remove_running: bool = True) -> None:
        if state in ENDS and self._started[key] > 1:
            self._started[key] -= 1
            return
        if state in ENDS:
            del self._started[key]
        super().change_state(key, state, info, remove_running)
