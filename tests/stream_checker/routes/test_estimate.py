"""The estimate of a check over HTTP."""

from __future__ import annotations

import httpx
import pytest


def test_an_estimate_names_streams_logins_and_the_decisive_one(admin: httpx.Client) -> None:
    found = admin.get("/estimate", params={"force": True}).raise_for_status().json()
    # The channels hold two streams of each account, and one was removed; provider B allows one connection.
    # Provider A has a second login without a limit.
    assert (found["streams"], found["runs"]) == (7, 1)
    assert found["decides"] == "Provider B"
    assert {login["login"]: (login["streams"], login["limit"]) for login in found["logins"]} == {
        "a": (2, 0), "b": (2, 1), "c": (3, 0),
    }  # fmt: skip
    assert found["seconds"] > max(login["seconds"] for login in found["logins"])
    assert found["fits"] is None


def test_filters_take_names_and_ids(admin: httpx.Client) -> None:
    by_name = admin.get("/estimate", params={"channels": ["Das Erste"], "force": True}).json()
    by_id = admin.get("/estimate", params={"channels": [1], "force": True}).json()
    assert by_name["streams"] == by_id["streams"] == 4
    refused = admin.get("/estimate", params={"channels": ["Das Zweite"]})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "channels.0")


def test_a_schedule_is_estimated_at_its_next_start(admin: httpx.Client) -> None:
    found = admin.get("/estimate", params={"schedule": "night"}).raise_for_status().json()
    assert found["ends_at"].partition("T")[2].startswith("03:0")
    assert admin.get("/estimate", params={"schedule": "day"}).status_code == 404


def test_an_estimate_says_whether_a_schedule_fits_its_window(admin: httpx.Client, defaults: None) -> None:
    checks = [
        {"name": name, "cron": "0 3 * * *", "until": until} for name, until in [("long", "02:59"), ("short", "03:01")]
    ]
    admin.put("/settings/schedule", json={"timezone": "Europe/Berlin", "checks": checks}).raise_for_status()
    admin.put("/settings/probe", json={"sample_seconds": 300}).raise_for_status()
    fits = {name: admin.get("/estimate", params={"schedule": name}).json()["fits"] for name in ("long", "short")}
    assert fits == {"long": True, "short": False}


@pytest.mark.parametrize("query", [{"force": "perhaps"}, {"channels": "x" * 300}])
def test_a_wrong_query_is_a_422(admin: httpx.Client, query: dict[str, str]) -> None:
    assert admin.get("/estimate", params=query).status_code == 422
