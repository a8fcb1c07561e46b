"""A run reports its outcome in its note, in its asset's event, and in Airflow's metrics."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from support.running_product import Product, eventually
from support.statsd_listener import StatsdListener

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420), pytest.mark.xdist_group("stack")]


@pytest.fixture(scope="module")
def outcome(product: Product) -> dict[str, Any]:
    """The outcome of a run over the channel "Daily News": five streams, one of them dead."""
    return product.check(channel_ids=[1], sample_seconds=2)


def airflows_run(product: Product, run_id: str) -> dict[str, Any]:
    """Return a run as Airflow describes it."""
    return dict(product.api.request("GET", f"/api/v2/dags/check_streams/dagRuns/{quote(run_id, safe='')}"))


def test_the_note_of_a_run_is_its_outcome(product: Product, outcome: dict[str, Any]) -> None:
    note = airflows_run(product, outcome["run_id"])["note"]
    assert note.startswith("5 streams of 1 channel in ")
    assert "1 dead" in note
    assert "Reasons: 1 http 404" in note


def test_a_user_s_note_is_kept(product: Product) -> None:
    body = {"logical_date": None, "conf": {"channel_ids": [9], "sample_seconds": 1}, "note": "before the match"}
    run_id = product.api.request("POST", "/api/v2/dags/check_streams/dagRuns", json=body)["dag_run_id"]
    assert product.api.wait("check_streams", run_id, timeout=120, poll=0.5) == "success"
    assert airflows_run(product, run_id)["note"] == "before the match"


def test_the_asset_s_event_holds_the_outcome(product: Product, outcome: dict[str, Any]) -> None:
    events = product.api.request("GET", "/api/v2/assets/events", params={"source_run_id": outcome["run_id"]})
    (event,) = (one for one in events["asset_events"] if one["source_run_id"] == outcome["run_id"])
    assert event["uri"].rstrip("/") == "streamflow://results"
    assert event["extra"]["verdicts"] == outcome["verdicts"]


def test_metrics_count_verdicts_and_measure_waits(metrics: StatsdListener, outcome: dict[str, Any]) -> None:
    for verdict in outcome["verdicts"]:
        eventually(lambda name=verdict: len(metrics.named(f"airflow.streamflow.checks.{name}")) >= 1)
    assert metrics.named("airflow.streamflow.checks.dead")[0] == "1|c"
    waits = metrics.named("airflow.streamflow.slot_wait")
    assert len(waits) >= 5
    assert all(wait.endswith("|ms") and float(wait.removesuffix("|ms")) >= 0 for wait in waits)
    assert len(metrics.named("airflow.streamflow.probe")) >= 4
