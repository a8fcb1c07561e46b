"""Airflow's LocalExecutor without the race that fails deferred tasks.

A task that is deferred ends its process and continues in another one under the same key and the same try. If the
scheduler processes the end of the first process after the second one has started, it takes that end for the end of the
task and fails it. Upstream reports: https://github.com/apache/airflow/issues/71580 and
https://github.com/apache/airflow/issues/72716; proposed fixes: https://github.com/apache/airflow/pull/71579,
https://github.com/apache/airflow/pull/72767 and https://github.com/apache/airflow/pull/73546.

Remove this module when Airflow's own scheduler ignores such an end; ``tests/streamflow_stack/test_executor.py`` fails
from that version on. An executor whose ``change_state`` takes a ``workload_run_id`` (the last of these fixes)
identifies each process, so this class then does nothing.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Sequence
from typing import Any

from airflow.executors import local_executor
from airflow.utils.state import TaskInstanceState

ENDS = (TaskInstanceState.SUCCESS, TaskInstanceState.FAILED)


def identifies_processes(executor: type[local_executor.LocalExecutor]) -> bool:
    """Return whether an executor reports which process of a task has ended, so that the scheduler needs no count."""
    return "workload_run_id" in inspect.signature(executor.change_state).parameters


class LocalExecutor(local_executor.LocalExecutor):
    """Reports the end of a task's process only when no later process of the same task has been started.

    The scheduler's processing of events is not changed: it never sees the ends that are held back.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._counts = not identifies_processes(local_executor.LocalExecutor)
        self._unfinished: Counter[Any] = Counter()

    def _process_workloads(self, workload_list: Sequence[Any]) -> None:
        if self._counts:
            self._unfinished.update(workload.key for workload in workload_list)
        super()._process_workloads(workload_list)  # type: ignore[no-untyped-call]

    def change_state(self, key: Any, state: Any, *args: Any, **kwargs: Any) -> None:
        """Report a state to the scheduler, except for the end of a process that has a successor.

        Arguments beyond ``state`` differ between Airflow's versions and are passed on.
        """
        if state in ENDS and self._counts:
            self._unfinished[key] -= 1
            if self._unfinished[key] > 0:
                return
            del self._unfinished[key]
        super().change_state(key, state, *args, **kwargs)
