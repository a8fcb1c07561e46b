"""Airflow's LocalExecutor without the race that fails deferred tasks, and with fewer idle processes.

A task that is deferred ends its process and continues in another one under the same key and the same try. If the
scheduler processes the end of the first process after the second one has started, it takes that end for the end of the
task and fails it. Upstream reports: https://github.com/apache/airflow/issues/71580 and
https://github.com/apache/airflow/issues/72716; proposed fixes: https://github.com/apache/airflow/pull/71579,
https://github.com/apache/airflow/pull/72767 and https://github.com/apache/airflow/pull/73546.

Remove this part when Airflow's own scheduler ignores such an end; ``tests/streamflow_stack/test_executor.py`` fails
from that version on. An executor whose ``change_state`` takes a ``workload_run_id`` (the last of these fixes)
identifies each process, so this class then holds no end back.

Upstream forks one worker for each possible task at the start, and keeps all of them. An idle worker takes 20 MB.
"""

from __future__ import annotations

import gc
import inspect
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from typing import Any

from airflow.executors import local_executor
from airflow.utils.state import TaskInstanceState

ENDS = (TaskInstanceState.SUCCESS, TaskInstanceState.FAILED)
# Seconds without a task until the workers are ended but for one, which runs the next short task.
IDLE_SECONDS = 60.0
# The server builds its routes at the first request, which takes up to half a minute on a busy machine.
API_SECONDS, API_RESPONSE_SECONDS, API_POLL_SECONDS = 180.0, 30.0, 0.3


def await_api(url: str, seconds: float = API_SECONDS) -> bool:
    """Wait until the API that tasks report to responds, and return whether it did.

    :param url: its address, for example ``http://127.0.0.1:8080/execution/``.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=API_RESPONSE_SECONDS):  # noqa: S310 - ours
                return True
        except urllib.error.HTTPError:
            # The routes are built; this one only differs between versions.
            return True
        except OSError:
            time.sleep(API_POLL_SECONDS)
    return False


def identifies_processes(executor: type[local_executor.LocalExecutor]) -> bool:
    """Return whether an executor reports which process of a task has ended, so that the scheduler needs no count."""
    return "workload_run_id" in inspect.signature(executor.change_state).parameters


class LocalExecutor(local_executor.LocalExecutor):
    """Reports the end of a task's process only when no later process of the same task has been started.

    The scheduler's processing of events is not changed: it never sees the ends that are held back. Workers are started
    when there are tasks for them, and ended a minute after the last task.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._holds_back = not identifies_processes(local_executor.LocalExecutor)
        # The processes that were started for each task and have not ended.
        self._unfinished: Counter[Any] = Counter()
        self._idle_since = time.monotonic()

    def start(self) -> None:
        """Start the executor when the API server responds: a task that cannot report to it fails."""
        if url := self.conf.get("core", "execution_api_server_url", fallback=None):
            await_api(url)
        super().start()

    def sync(self) -> None:
        """Report the ends of processes, start workers that are needed, and end those that have long been idle."""
        super().sync()
        if self._unfinished:
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > IDLE_SECONDS:
            self._idle_since = time.monotonic()
            for _ in range(len(self.workers) - 1):
                # The worker that receives it ends.
                self.activity_queue.put(None)

    def _process_workloads(self, workload_list: Sequence[Any]) -> None:
        self._unfinished.update(workload.key for workload in workload_list)
        super()._process_workloads(workload_list)  # type: ignore[no-untyped-call]

    def _spawn_workers_with_gc_freeze(self, spawn_number: int) -> None:
        # Upstream unfreezes afterwards. The next full collection then writes into every object that existed before the
        # fork, and copies 60 MB that all of Airflow's processes share.
        gc.freeze()
        needed = self._unfinished.total() - len(self.workers)
        for _ in range(min(spawn_number, needed)):
            self._spawn_worker()  # type: ignore[no-untyped-call]

    def change_state(self, key: Any, state: Any, *args: Any, **kwargs: Any) -> None:
        """Report a state to the scheduler, except for the end of a process that has a successor.

        Arguments beyond ``state`` differ between Airflow's versions and are passed on.
        """
        if state in ENDS:
            self._unfinished[key] -= 1
            has_successor = self._unfinished[key] > 0
            if not has_successor:
                del self._unfinished[key]
            if has_successor and self._holds_back:
                return
        super().change_state(key, state, *args, **kwargs)
