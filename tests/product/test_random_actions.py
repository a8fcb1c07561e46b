"""Whatever users do to the tasks of a run in Airflow, no slot, no waiter and no stream without result is left over.

A failure prints the seed and the actions; ``STREAMFLOW_TEST_SEED`` repeats the choices, not the moments.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from streamflow.names import CHECK_DAG, CHECK_TASK
from streamflow_stack.airflow_api import AirflowError
from support.running_product import API, Product, eventually, within_limits

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420), pytest.mark.xdist_group("stack")]

ACTION_SECONDS = 45.0
LEAST_ACTS = 10
LEFT_OVER_SECONDS = 60.0
MARKS = ("failed", "success", "skipped")
# Late results would come within the life of a lease.
LATE_SECONDS = 12.0


@dataclass
class Person:
    """Somebody who acts at random on the checks of one run."""

    product: Product
    run_id: str
    chance: Random
    acts: int = 0

    def act(self) -> str:
        """Do something and return its description."""
        action = self.chance.choice(("clear", "clear", *MARKS, *MARKS, "pause"))
        if action == "pause":
            seconds = self.chance.uniform(0.2, 4)
            self._pause(True)
            time.sleep(seconds)
            self._pause(False)
            return f"paused for {seconds:.1f} s"
        task = self._any_check()
        described = f"{action}: {task['map_index']}, which was {task['state']}"
        try:
            if action == "clear":
                self._clear(task["map_index"])
            else:
                self._mark(task["map_index"], action)
        except AirflowError as error:
            if "is already in" not in str(error):
                raise
            return f"{described}: rejected"
        self.acts += 1
        return described

    def _any_check(self) -> dict[str, Any]:
        """Return a check in a state that is chosen first, so that the few running ones are met as often as others."""
        checks = [task for task in self.product.tasks(self.run_id) if task["task_id"] == CHECK_TASK]
        state = self.chance.choice(sorted({str(task["state"]) for task in checks}))
        return self.chance.choice([task for task in checks if str(task["state"]) == state])

    def _clear(self, index: int) -> None:
        body = {
            "dry_run": False, "dag_run_id": self.run_id, "task_ids": [[CHECK_TASK, index]], "only_failed": False,
            "reset_dag_runs": False, "include_downstream": self.chance.random() < 0.3,
        }  # fmt: skip
        self.product.api.request("POST", f"/api/v2/dags/{CHECK_DAG}/clearTaskInstances", json=body)

    def _mark(self, index: int, state: str) -> None:
        run = f"/api/v2/dags/{CHECK_DAG}/dagRuns/{quote(self.run_id, safe='')}"
        task = f"{run}/taskInstances/{CHECK_TASK}/{index}"
        self.product.api.request("PATCH", task, params={"map_index": index}, json={"new_state": state})

    def _pause(self, is_paused: bool) -> None:
        self.product.api.request("PATCH", f"/api/v2/dags/{CHECK_DAG}", json={"is_paused": is_paused})


def is_idle(product: Product) -> bool:
    """Return whether no slot is taken and nobody waits for one."""
    status = product.status()
    waiting = [one["waiting"] for one in (status["global"], *status["accounts"])]
    return not status["leases"] and status["global"]["active"] == 0 and not any(waiting)


def outcomes(product: Product, run_id: str) -> list[tuple[int, str, str | None]]:
    """Return stream, verdict and time of the check of each result of the run."""
    streams = product.run(run_id)["streams"]
    return sorted((one["stream_id"], one["state"], (one["result"] or {}).get("checked_at")) for one in streams)


def test_manual_actions_leave_no_slot_no_waiter_and_no_stream_without_result(product: Product) -> None:
    seed = int(os.environ.get("STREAMFLOW_TEST_SEED") or time.time_ns() % 2**32)
    print(f"STREAMFLOW_TEST_SEED={seed}")
    httpx.post(f"{product.provider.provider}/lab/reset").raise_for_status()
    run_id = product.api.trigger(CHECK_DAG, {"force": True, "sample_seconds": 6, "write_back": False})
    eventually(lambda: product.status()["global"]["active"] >= 3, seconds=90)
    person, began = Person(product, run_id, Random(seed)), time.monotonic()
    while time.monotonic() < began + ACTION_SECONDS:
        print(f"{time.monotonic() - began:5.1f} s  {person.act()}")
        time.sleep(person.chance.uniform(0, 1.5))
    assert person.acts >= LEAST_ACTS
    print(product.api.request("POST", f"{API}/runs/{quote(run_id, safe='')}/stop"))
    assert product.api.wait(CHECK_DAG, run_id, timeout=90, poll=0.5) == "success"
    ended = outcomes(product, run_id)
    eventually(lambda: is_idle(product), LEFT_OVER_SECONDS)
    assert [stream for stream, _, _ in ended] == sorted(stream.id for stream in product.library.streams)
    assert not {state for _, state, _ in ended} - {"ok", "degraded", "dead", "unknown"}
    assert within_limits(product)
    time.sleep(LATE_SECONDS)
    assert outcomes(product, run_id) == ended
    assert is_idle(product)
    assert product.provider.record()["global"]["current"] == 0
