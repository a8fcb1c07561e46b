"""Policies: stored, previewed from stored results, replayed, and pins of single streams."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from streamflow.udi import Udi

from ..library import NOW, result

pytestmark = pytest.mark.usefixtures("defaults")

SECOND_FIRST = {"name": "B first", "match": {"channels": ["Das Erste"]}, "accounts": ["Provider B"]}
UNTOUCHED = {"name": "News", "match": {"groups": ["News"]}, "check": False}


@pytest.fixture
def results(udi: Udi) -> None:
    """Store results of three nights: stream 1 is dead on the second one."""
    for night in range(3):
        at = NOW - timedelta(days=3 - night)
        for stream_id in (1, 2, 3):
            dead = {"verdict": "dead", "reason": "no_data"} if (stream_id, night) == (1, 1) else {}
            udi.runs.settle("no run", result(stream_id, checked_at=at, **dead))
    for stream_id in (1, 2, 3):
        udi.runs.settle("no run", result(stream_id, checked_at=NOW))


@pytest.mark.parametrize("wrapped", [True, False])
def test_policies_are_replaced_and_count_their_channels(admin: httpx.Client, wrapped: bool) -> None:
    policies = [SECOND_FIRST, UNTOUCHED, {"match": {"channels": [2]}, "pin": [4]}]
    stored = admin.put("/policies", json={"policies": policies} if wrapped else policies)
    assert stored.status_code == 200
    assert stored.json() == admin.get("/policies").json()
    assert stored.json()["policies"] == policies
    assert stored.json()["uses"] == [
        {"name": "B first", "channels": 1},
        {"name": "News", "channels": 1},
        {"name": "Policy 3", "channels": 1},
    ]


@pytest.mark.parametrize("path", ["/policies", "/policies/preview", "/policies/replay"])
@pytest.mark.parametrize(
    ("policies", "field", "message"),
    [
        ([{}, {"ordr": 1}], "policies.1.ordr", "did you mean order?"),
        ([{"match": {"groups": ["re:("]}}], "policies.0.match.groups.0", "regular expression"),
        ("all", "policies", "valid tuple"),
    ],
)
def test_a_wrong_policy_is_named_by_its_path(
    admin: httpx.Client, path: str, policies: Any, field: str, message: str
) -> None:
    refused = admin.request("PUT" if path == "/policies" else "POST", path, json={"policies": policies})
    assert refused.status_code == 422
    assert [fault["field"] for fault in refused.json()["errors"]] == [field]
    assert message in refused.json()["detail"]
    assert admin.get("/policies").json()["policies"] == []


@pytest.mark.usefixtures("results")
def test_a_preview_shows_todays_order_and_the_new_one_and_changes_nothing(admin: httpx.Client, udi: Udi) -> None:
    before = udi.library.channel(1)
    assert before
    shown = admin.post("/policies/preview", json={"policies": [SECOND_FIRST], "channel_ids": [1]})
    assert shown.status_code == 200
    [channel] = shown.json()["channels"]
    # Stream 9 was removed, and works again.
    assert (channel["before"], channel["after"]) == ([1, 3, 2], [2, 1, 3, 9])
    assert (channel["name"], channel["policy"], channel["checked"]) == ("Das Erste", "B first", True)
    assert channel["moves"][0]["why"].endswith("account Provider B, ahead of stream 1, account Provider A")
    assert shown.json()["names"]["2"] == "Channel 2 UHD"
    assert udi.library.channel(1) == before
    assert admin.get("/policies").json()["policies"] == []


def test_a_preview_of_all_channels_is_paged(admin: httpx.Client) -> None:
    first = admin.post("/policies/preview", params={"limit": 1}, json={"policies": [UNTOUCHED]}).json()
    cursor = first["next_cursor"]
    last = admin.post("/policies/preview", params={"limit": 1, "cursor": cursor}, json={"policies": []}).json()
    assert [one["channel_id"] for one in (*first["channels"], *last["channels"])] == [1, 2]
    assert (first["total"], last["next_cursor"]) == (2, None)
    assert first["channels"][0]["checked"] is False
    assert first["channels"][0]["before"] == first["channels"][0]["after"]
    assert first["uses"] == [{"name": "News", "channels": 2}]


def test_a_preview_of_an_unknown_channel_is_a_404(admin: httpx.Client) -> None:
    assert admin.post("/policies/preview", json={"policies": [], "channel_ids": [1, 99]}).status_code == 404


@pytest.mark.usefixtures("results")
def test_a_replay_compares_the_stored_nights(admin: httpx.Client) -> None:
    response = admin.post("/policies/replay", json={"policies": [SECOND_FIRST], "channel_ids": [1]})
    assert response.status_code == 200
    replay = response.json()
    assert (replay["channels"], replay["total"]) == (1, 1)
    nights = {night["night"]: night for night in replay["nights"]}
    dead = nights[(NOW - timedelta(days=2)).date().isoformat()]
    # By the stored policies stream 1 came first on the night that it was dead.
    assert (dead["before"]["first_dead"], dead["after"]["first_dead"]) == (1, 0)
    assert replay["before"]["first_dead"] == 1
    assert replay["after"] == {
        "moves": sum(night["after"]["moves"] for night in nights.values()),
        "first_dead": 0,
    }


def test_a_pin_is_a_policy_of_its_own(admin: httpx.Client) -> None:
    admin.put("/policies", json=[SECOND_FIRST])
    assert admin.post("/channels/1/pins", json={"stream_id": 3, "pinned": True}).json() == {
        "channel_id": 1,
        "pinned": [3],
    }
    pin = {"name": "Pins of Das Erste", "match": {"channels": [1]}, "pin": [3]}
    assert admin.get("/policies").json()["policies"] == [pin, SECOND_FIRST]
    channel = admin.get("/channels/1").json()
    assert channel["policy"] == "B first"
    assert {one["stream_id"]: one["pinned"] for one in channel["streams"]} == {1: False, 3: True, 2: False}
    assert admin.post("/channels/1/pins", json={"stream_id": 3, "pinned": False}).json()["pinned"] == []
    assert admin.get("/policies").json()["policies"] == [SECOND_FIRST]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/channels/99/pins", {"stream_id": 3, "pinned": True}, 404),
        ("/channels/1/pins", {"stream_id": 4, "pinned": True}, 404),
        ("/channels/1/pins", {"stream_id": 3}, 422),
    ],
)
def test_only_a_stream_of_the_channel_can_be_pinned(
    admin: httpx.Client, path: str, body: dict[str, Any], status: int
) -> None:
    assert admin.post(path, json=body).status_code == status
    assert admin.get("/policies").json()["policies"] == []


def test_a_stream_that_another_policy_pins_is_not_released(admin: httpx.Client) -> None:
    admin.put("/policies", json=[{"match": {}, "pin": ["Channel 3*"]}])
    assert admin.post("/channels/1/pins", json={"stream_id": 3, "pinned": False}).status_code == 409


def test_many_streams_are_pinned_and_released_at_once(admin: httpx.Client) -> None:
    change = {"streams": [3, 30], "channels": [2], "pinned": True}
    assert admin.post("/pins", json=change).json() == {"places": 4, "channels": 2}
    pins = {one["name"]: one["pin"] for one in admin.get("/policies").json()["policies"]}
    assert pins == {"Pins of Das Erste": [3], "Pins of Second": [4, 5, 6]}
    assert admin.post("/pins", json=change | {"pinned": False}).json() == {"places": 4, "channels": 2}
    assert admin.get("/policies").json()["policies"] == []
    assert admin.post("/pins", json={"streams": [30], "pinned": True}).json() == {"places": 0, "channels": 0}
