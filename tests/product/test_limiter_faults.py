"""Slots stay correct when users and crashes interfere: cleared tasks, deleted runs, a killed triggerer.

All tests use the account "North", whose one slot three streams need; the provider's own counters are compared.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import pytest

from account_limiter import events_key
from account_limiter.airflow.connection import connect, from_env
from streamflow.names import CHECK_POOL
from support.running_product import Product, eventually, probing

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420), pytest.mark.xdist_group("stack")]

NORTH = 1
# The lease_ttl of the product under test, and the longest time in which Airflow handles a task on a busy machine.
LEASE_TTL, AIRFLOW_SECONDS = 10, 40


@pytest.fixture
def busy(product: Product) -> Iterator[str]:
    """A run of the account's three streams: one is probed, two wait. The limit holds until the test's end."""
    httpx.post(f"{product.provider.provider}/lab/reset").raise_for_status()
    run_id = product.api.trigger("check_streams", {"account_ids": [NORTH], "force": True, "sample_seconds": 6})
    eventually(lambda: use(product)[:2] == (1, 2))
    yield run_id
    record = next(one for one in product.provider.record()["accounts"] if one["id"] == NORTH)
    assert (record["peak"], record["refused"]) == (1, 0)


def use(product: Product) -> tuple[int, int, list[str]]:
    """Return the account's active and waiting checks, and the ids of its leases."""
    status = product.status()
    (account,) = (one for one in status["accounts"] if one["account_id"] == NORTH)
    leases = [one["lease_id"] for one in status["leases"] if one["account_id"] == NORTH]
    return account["active"], account["waiting"], leases


def watched(product: Product, run_id: str) -> int:
    """Return the number of tasks that a triggerer watches."""
    return sum(bool((task["trigger"] or {}).get("triggerer_id")) for task in product.tasks(run_id))


def ends_well(product: Product, run_id: str) -> bool:
    """Return whether the run ends with a verdict for each stream and with every slot free."""
    assert product.api.wait("check_streams", run_id, timeout=150, poll=0.5) == "success"
    assert product.run(run_id)["verdicts"] == {"ok": 3}
    return bool(eventually(lambda: use(product)[:2] == (0, 0)))


def test_a_task_cleared_while_it_checks_gives_its_slot_back_and_is_checked_again(product: Product, busy: str) -> None:
    (held,) = (one for one in product.status()["leases"] if one["account_id"] == NORTH and one["state"] == "held")
    body = {
        "dry_run": False, "dag_run_id": busy, "task_ids": [["check_stream", held["map_index"]]], "only_failed": False,
        "reset_dag_runs": False,
    }  # fmt: skip
    product.api.request("POST", "/api/v2/dags/check_streams/clearTaskInstances", json=body)
    eventually(lambda: held["lease_id"] not in use(product)[2], LEASE_TTL + AIRFLOW_SECONDS)
    assert ends_well(product, busy)


def test_a_terminated_task_gives_its_slot_back_itself_and_is_checked_after_the_others(
    product: Product, busy: str
) -> None:
    (held,) = (one for one in product.status()["leases"] if one["account_id"] == NORTH and one["state"] == "held")
    (probe,) = eventually(lambda: probing(product))
    # A probe is a fork of its task.
    os.kill(probe.ppid(), signal.SIGTERM)
    eventually(lambda: ends_of(product, held["lease_id"]))
    assert ends_of(product, held["lease_id"])[0] == "released", "it expired"
    assert ends_well(product, busy)


def ends_of(product: Product, lease_id: str) -> list[str]:
    """Return how a lease ended, each time."""
    with connect(**from_env(product.stack.env)) as redis:
        events = [fields for _, fields in redis.xrange(events_key()) if fields[b"lease_id"].decode() == lease_id]
    return [kind for kind in (fields[b"kind"].decode() for fields in events) if kind in ("released", "expired")]


def test_a_run_failed_and_deleted_leaves_no_lease_no_waiter_and_no_connection(product: Product, busy: str) -> None:
    eventually(lambda: watched(product, busy) == 2)
    # Airflow does not delete a running run.
    run = f"/api/v2/dags/check_streams/dagRuns/{quote(busy, safe='')}"
    product.api.request("PATCH", run, json={"state": "failed"})
    product.api.request("DELETE", run)
    eventually(lambda: use(product)[:2] == (0, 0), LEASE_TTL + AIRFLOW_SECONDS)
    eventually(lambda: product.provider.record()["global"]["current"] == 0)
    pool = product.api.request("GET", f"/api/v2/pools/{CHECK_POOL}")
    assert (pool["occupied_slots"], pool["deferred_slots"]) == (0, 0)


def test_waiters_survive_a_killed_triggerer_which_is_started_again(product: Product, busy: str) -> None:
    killed = product.stack.processes.pids["triggerer"]
    family = [psutil.Process(killed), *psutil.Process(killed).children(recursive=True)]
    os.kill(killed, signal.SIGKILL)
    news: list[str] = []
    eventually(lambda: product.stack.watch(news.append) or news)
    assert news[0].startswith("triggerer was ended by SIGKILL and starts again in ")
    eventually(lambda: product.stack.processes.pids["triggerer"] != killed)
    eventually(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family))
    assert ends_well(product, busy)


def test_a_reset_stops_running_checks_and_every_stream_still_gets_its_verdict(product: Product, busy: str) -> None:
    answer: dict[str, Any] = product.api.request("POST", "/api/stream-checker/concurrency/reset")
    assert answer == {"released": 1, "waiters_dropped": 2}
    assert ends_well(product, busy)
