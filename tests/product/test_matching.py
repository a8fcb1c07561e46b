"""Streams find their channels: a dead channel is filled within one run, and a rejected stream stays away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from streamflow.names import MATCH_DAG
from support.running_product import API, Product, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900), pytest.mark.xdist_group("stack")]

# Channels of the lab's library: one with three dead streams among others, and one that works.
BACKROOM, REPORT = 8, 2
RUNS = f"/api/v2/dags/{MATCH_DAG}/dagRuns"
ACCEPT_CHOSEN = "Accept the chosen ones, reject the others"
NEW, UNWANTED = 9001, 9002
MATCHING = {"enabled": True, "refresh_providers": True, "refresh_hours": 1,
            "dead_channels": {"action": "replace", "after_failures": 1}}  # fmt: skip
BEFORE = {"enabled": False, "refresh_providers": False, "refresh_hours": 12,
          "dead_channels": {"action": "none", "after_failures": 2}}  # fmt: skip


def stream(product: Product, name: str) -> int:
    """Return the id of a stream of the lab by its name."""
    return next(one.id for one in product.library.streams if one.name == name)


@pytest.fixture
def dead_channel(product: Product) -> Iterator[list[int]]:
    """A channel whose streams are all dead, and new streams that the provider brings with its next refresh."""
    former = {id: channel["streams"] for id, channel in product.provider.channels().items()}
    dead = [stream(product, f"Backroom {fault}") for fault in ("unresolvable", "broken", "never")]
    urls = {one.id: one for one in product.library.streams}
    good, report = stream(product, "Backroom SD"), stream(product, "World Report")
    assert urls[good].account_id == urls[report].account_id == 3
    coming = [
        {"like": good, "id": NEW, "name": "UK: BACKROOM HD", "stream_id": NEW, "url": product.url(good) + "?new=1"},
        {"like": report, "id": UNWANTED, "name": "World Report UHD", "stream_id": UNWANTED,
         "url": product.url(report) + "?new=1"},
    ]  # fmt: skip
    product.provider.change(channels={BACKROOM: dead}, coming=coming)
    product.api.request("PUT", f"{API}/settings/matching", json=MATCHING)
    refreshed = product.api.trigger("refresh_udi", {})
    assert product.api.wait("refresh_udi", refreshed, timeout=120) == "success"
    yield dead
    product.api.request("PUT", f"{API}/settings/matching", json=BEFORE)
    product.provider.change(channels=former)
    refreshed = product.api.trigger("refresh_udi", {})
    assert product.api.wait("refresh_udi", refreshed, timeout=120) == "success"


def finished(product: Product, run_id: str) -> None:
    assert product.api.wait(MATCH_DAG, run_id, timeout=300, poll=0.5) == "success"


def question(product: Product, run_id: str) -> dict[str, Any]:
    """Return the question of a run when it waits for an answer."""

    def found() -> list[dict[str, Any]]:
        path = f"{RUNS}/{quote(run_id, safe='')}/hitlDetails"
        return list(product.api.request("GET", path, params={"response_received": "false"})["hitl_details"])

    def state() -> str:
        path = f"{RUNS}/{quote(run_id, safe='')}/taskInstances/ask"
        return str(product.api.request("GET", path)["state"])

    asked = eventually(found, seconds=300)[0]
    # Airflow loses an answer that comes before the task waits for it.
    eventually(lambda: state() in ("awaiting_input", "deferred"), seconds=60)
    return dict(asked)


def streams_of(product: Product, channel_id: int) -> list[int]:
    return list(product.provider.channels()[channel_id]["streams"])


def test_a_dead_channel_is_filled_and_a_rejected_stream_stays_away(product: Product, dead_channel: list[int]) -> None:
    report = streams_of(product, REPORT)
    checked = product.check(channel_ids=[BACKROOM, REPORT], sample_seconds=1, write_back=False)
    assert checked["verdicts"].get("dead", 0) >= len(dead_channel)

    # The first search brings the provider's new streams, and only proposes.
    finished(product, product.api.trigger(MATCH_DAG, {}))
    proposed = product.api.request("GET", f"{API}/matching/proposals")["proposals"]
    assert {(one["channel_id"], one["stream_id"]) for one in proposed} == {(BACKROOM, NEW), (REPORT, UNWANTED)}
    assert (streams_of(product, BACKROOM), streams_of(product, REPORT)) == (dead_channel, report)

    # The next one tries the candidate of the dead channel, and asks.
    run_id = product.api.trigger(MATCH_DAG, {})
    asked = question(product, run_id)
    assert asked["subject"] == "Add 2 streams to 2 channels?"
    assert "BACKROOM HD" in asked["body"]
    answer = {"chosen_options": [ACCEPT_CHOSEN], "params_input": {"stream_ids": [NEW], "channel_ids": []}}
    product.api.request("PATCH", f"{RUNS}/{quote(run_id, safe='')}/taskInstances/ask/-1/hitlDetails", json=answer)
    finished(product, run_id)
    assert set(streams_of(product, BACKROOM)) == {NEW, *dead_channel}
    # Its check puts it first.
    eventually(lambda: streams_of(product, BACKROOM)[0] == NEW, seconds=180)
    listed = product.api.request("GET", f"{API}/channels/{BACKROOM}")["streams"]
    assert (listed[0]["stream_id"], listed[0]["result"]["verdict"]) == (NEW, "ok")

    # The next night changes nothing: the rejected stream stays away, and so do those that were taken out by hand.
    finished(product, product.api.trigger(MATCH_DAG, {}))
    assert streams_of(product, REPORT) == report
    assert set(streams_of(product, BACKROOM)) == {NEW, *dead_channel}
    kept_out = product.api.request("GET", f"{API}/matching/proposals", params={"state": "rejected"})
    assert [(one["channel_id"], one["stream_id"]) for one in kept_out["proposals"]] == [(REPORT, UNWANTED)]
