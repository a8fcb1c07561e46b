"""Matching over HTTP: proposals, decisions, tried rules, and what has not found each other."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from streamflow.lineup import provider_failures
from streamflow.lineup.decisions import decide, decisions
from streamflow.records import Decision
from streamflow.udi import Udi

from .. import library
from ..library import NOW, result
from ..server import Server

pytestmark = pytest.mark.usefixtures("defaults")

PROPOSED = Decision(state="proposed", at=NOW, why="the name fits", asked_by="run")


def propose(udi: Udi, *pairs: tuple[int, int], state: str = "proposed") -> None:
    decide(udi, {pair: PROPOSED.model_copy(update={"state": state}) for pair in pairs})


def test_the_state_counts_the_decisions_and_names_failed_providers(
    admin: httpx.Client, udi: Udi, redis_client: object
) -> None:
    propose(udi, (1, 10), (2, 11))
    propose(udi, (2, 10), state="rejected")
    provider_failures.remember(redis_client, {2: "404 Not Found"})  # type: ignore[arg-type]
    state = admin.get("/matching").json()
    assert state["decisions"] == {"proposed": 2, "added": 0, "rejected": 1, "taken_out": 0}
    assert state["failed_providers"] == [{"account_id": 2, "name": "Provider B", "reason": "404 Not Found"}]
    assert (state["enabled"], state["approve"]) == (False, True)


def test_proposals_name_stream_channel_and_reason(admin: httpx.Client, udi: Udi) -> None:
    propose(udi, (2, 10), (1, 11))
    propose(udi, (2, 12), state="taken_out")
    udi.runs.settle("no run", result(11, verdict="degraded", reason="low_bitrate"))
    listed = admin.get("/matching/proposals").json()
    assert [(one["channel"], one["stream_id"], one["why"]) for one in listed["proposals"]] == [
        ("Das Erste", 11, "the name fits"),
        ("Second", 10, "the name fits"),
    ]
    assert listed["proposals"][0]["result"]["reason"] == "low_bitrate"
    assert listed["proposals"][0]["asked"]
    assert library.SECRET not in admin.get("/matching/proposals").text
    kept_out = admin.get("/matching/proposals", params={"state": ["rejected", "taken_out"]}).json()
    assert [one["state"] for one in kept_out["proposals"]] == ["taken_out"]
    assert admin.get("/matching/proposals", params={"channel_id": 2}).json()["total"] == 1
    assert admin.get("/matching/proposals", params={"limit": 1}).json()["total"] == 2


def test_rejected_streams_stay_out(admin: httpx.Client, udi: Udi) -> None:
    propose(udi, (1, 10), (2, 10))
    reply = admin.post("/matching/decisions", json={"reject": [{"channel_id": 1, "stream_id": 10}]})
    assert reply.json() == {"added": [], "rejected": 1, "conflicts": {}, "run_id": None}
    assert {pair: one.state for pair, one in decisions(udi).items()} == {(1, 10): "rejected", (2, 10): "proposed"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"reject": [{"channel_id": 1, "stream_id": 11}]}, 404),
        ({"accept": [{"channel_id": 2, "stream_id": 10}]}, 404),
        ({"accept": [{"channel_id": 1, "stream_id": 10}], "reject": [{"channel_id": 1, "stream_id": 10}]}, 422),
        ({"accept": [{"channel_id": 1}]}, 422),
        ({"accept": [{"channel_id": 1, "stream_id": 10}] * 501}, 422),
    ],
)
def test_wrong_decisions_change_nothing(admin: httpx.Client, udi: Udi, body: object, status: int) -> None:
    propose(udi, (1, 10))
    assert admin.post("/matching/decisions", json=body).status_code == status
    assert {pair: one.state for pair, one in decisions(udi).items()} == {(1, 10): "proposed"}


def test_readers_decide_nothing(server: Server, admin: httpx.Client, udi: Udi) -> None:
    propose(udi, (1, 10))
    with server.client("reader") as reader:
        assert reader.get("/matching/proposals").json()["total"] == 1
        decision = {"reject": [{"channel_id": 1, "stream_id": 10}]}
        assert reader.post("/matching/decisions", json=decision).status_code == 403
        assert reader.post("/matching/test", json={"rules": []}).status_code == 403
    with server.client() as anonymous:
        assert anonymous.get("/matching").status_code == 401


def rules_tried(admin: httpx.Client, rule: dict[str, Any], **params: int) -> dict[str, Any]:
    """Return the outcome of a test of one rule. A call before this one counts until its response is sent."""
    while (reply := admin.post("/matching/test", params=params, json={"rules": [rule]})).status_code == 429:
        time.sleep(0.05)
    return dict(reply.raise_for_status().json())


def test_rules_are_tried_without_a_change(admin: httpx.Client, udi: Udi) -> None:
    by_name = {"channels": ["Das Erste"], "by": ["re:^Channel 1[0 ]"], "exclude": ["Channel 10 UHD"]}
    outcome = rules_tried(admin, by_name)
    assert {one["name"] for one in outcome["matches"]} == {"Channel 1 HD"}
    assert (outcome["matched"], outcome["near"]) == (2, 3)
    assert {one["name"] for one in outcome["nearly"]} == {"Channel 10 UHD"}
    assert all(one["why"] for one in (*outcome["matches"], *outcome["nearly"]))
    limited = rules_tried(admin, by_name, limit=1)
    assert (len(limited["matches"]), limited["matched"]) == (1, 2)
    assert decisions(udi) == {}
    assert admin.get("/settings").json()["matching"]["rules"][0]["channels"] == ["*"]


def test_a_wrong_rule_is_named(admin: httpx.Client) -> None:
    reply = admin.post("/matching/test", json={"rules": [{"by": ["re:("]}]})
    assert reply.status_code == 422
    assert "rules.0.by.0" in {fault["field"] for fault in reply.json()["errors"]}


def test_channels_without_a_working_stream_are_listed(admin: httpx.Client, udi: Udi) -> None:
    snapshot = library.snapshot()
    channels = list(snapshot.channels)
    channels.append(channels[0].model_copy(update={"id": 3, "name": "Empty", "number": 3, "stream_ids": ()}))
    channels.append(channels[0].model_copy(update={"id": 4, "name": "Hidden", "number": 4, "is_hidden": True}))
    snapshot.channels[:] = channels  # type: ignore[index]
    udi.publish(snapshot, force=True)
    later = {"checked_at": NOW.replace(year=NOW.year + 1)}
    udi.runs.settle("no run", result(4, verdict="dead", reason="no_data", **later))
    udi.runs.settle("no run", result(5, verdict="degraded", reason="black_video", **later))
    udi.runs.settle("no run", result(6, verdict="degraded", reason="frozen_video", **later))
    propose(udi, (2, 10))
    listed = admin.get("/matching/channels").json()
    assert [(one["name"], one["lack"], one["proposals"]) for one in listed["channels"]] == [
        ("Second", "dark", 1),
        ("Empty", "empty", 0),
        ("Hidden", "hidden", 0),
    ]
    assert listed["total"] == 3


def test_streams_without_a_channel_are_listed_by_group(admin: httpx.Client) -> None:
    # The library has 30 streams in one group, six of them in channels.
    groups = admin.get("/matching/groups").json()
    assert groups == {"groups": [{"id": 1, "name": "News", "streams": 24}], "streams": 24}
    page = admin.get("/matching/streams", params={"group_id": 1, "limit": 20}).json()
    assert [one["stream_id"] for one in page["streams"]][:2] == [7, 8]
    rest = admin.get("/matching/streams", params={"group_id": 1, "cursor": page["next_cursor"]}).json()
    assert (page["total"], len(rest["streams"]), rest["next_cursor"]) == (24, 4, None)
