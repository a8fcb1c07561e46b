"""A removal beyond the bound waits in Airflow's required actions until a person answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from streamflow.names import REMOVAL_DAG
from support.running_product import API, Product, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420), pytest.mark.xdist_group("stack")]

# "Arena 2", with four streams, one of them gone for good.
CHANNEL = 4
RUNS = f"/api/v2/dags/{REMOVAL_DAG}/dagRuns"


@pytest.fixture
def dead_leave(product: Product) -> Iterator[None]:
    """Let dead streams leave their channels after one failure, but none of them without an approval."""
    put = {"dead_streams": {"action": "remove", "after_failures": 1}, "safety": {"max_removed_share": 0}}
    for section, values in put.items():
        product.api.request("PUT", f"{API}/settings/{section}", json=values)
    yield
    back = {"dead_streams": {"action": "move_last", "after_failures": 2}, "safety": {"max_removed_share": 0.2}}
    for section, values in back.items():
        product.api.request("PUT", f"{API}/settings/{section}", json=values)


def question(product: Product) -> dict[str, Any]:
    """Return the question that waits for an answer."""

    def found() -> list[dict[str, Any]]:
        path = f"{RUNS}/~/hitlDetails"
        return list(product.api.request("GET", path, params={"response_received": "false"})["hitl_details"])

    eventually(lambda: len(found()) == 1, seconds=60)
    return found()[0]


def test_streams_stay_until_a_person_approves_their_removal(product: Product, dead_leave: None) -> None:
    product.check(channel_ids=[CHANNEL], sample_seconds=1)
    assert len(product.api.request("GET", f"{API}/channels/{CHANNEL}")["streams"]) == 4
    asked = question(product)
    assert asked["subject"] == "Remove 1 streams from 1 channels?"
    assert "Arena 2 gone" in asked["body"]
    run_id = asked["task_instance"]["dag_run_id"]
    answer = {"chosen_options": ["Remove those of the chosen channels"], "params_input": {"channel_ids": [CHANNEL]}}
    product.api.request("PATCH", f"{RUNS}/{run_id}/taskInstances/ask/-1/hitlDetails", json=answer)
    assert product.api.wait(REMOVAL_DAG, run_id, timeout=120, poll=0.5) == "success"
    channel = product.api.request("GET", f"{API}/channels/{CHANNEL}")
    assert len(channel["streams"]) == 3
    assert [one["name"] for one in channel["removed"]] == ["Arena 2 gone"]
