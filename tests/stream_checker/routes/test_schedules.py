"""The next starts of schedules over HTTP: those of the settings, and those of proposed ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from redis import Redis

from stream_tasks.before_events import NEXT_EVENTS_KEY

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = {"name": "night", "cron": "0 3 * * *", "until": "06:30"}


def test_a_schedule_is_told_in_words_and_times_of_its_zone(admin: httpx.Client, defaults: None) -> None:
    admin.put("/settings/schedule", json={"timezone": "Europe/Berlin", "checks": [NIGHT]}).raise_for_status()
    found = admin.get("/schedules").raise_for_status().json()
    assert (found["timezone"], found["timezone_from"]) == ("Europe/Berlin", "setting")
    assert found["effective_within"] >= 30
    [night] = found["checks"]
    assert (night["name"], night["dag_id"], night["words"]) == ("night", "check_night", "Every night at 03:00")
    starts = [datetime.fromisoformat(one["starts_at"]).astimezone(BERLIN) for one in night["starts"]]
    ends = [datetime.fromisoformat(one["until"]).astimezone(BERLIN) for one in night["starts"]]
    assert [f"{one:%H:%M}" for one in starts] == ["03:00"] * 3
    assert [f"{one:%H:%M}" for one in ends] == ["06:30"] * 3
    assert [one.date() for one in starts] == [one.date() for one in ends]
    assert starts[0] > datetime.now(UTC)
    assert {(b.date() - a.date()).days for a, b in pairwise(starts)} == {1}
    # This server has loaded no DAG.
    assert (night["paused"], night["in_force"], found["paused"], found["leaving"]) == (None, False, False, [])


def test_it_is_told_whether_airflow_follows_the_settings(
    admin: httpx.Client, defaults: None, dag: Callable[..., None]
) -> None:
    zone = {"timezone": "Europe/Berlin"}
    entries = [NIGHT, {"name": "changed", "cron": "0 4 * * *"}, {"name": "moved", "cron": "0 5 * * *"}]
    admin.put("/settings/schedule", json=zone | {"checks": entries}).raise_for_status()
    due = {one["name"]: datetime.fromisoformat(one["starts"][0]["starts_at"])
           for one in admin.get("/schedules").json()["checks"]}  # fmt: skip
    dag("check_streams", "")
    dag("check_night", "0 3 * * *", next_start=due["night"], is_paused=True)
    dag("check_changed", "0 2 * * *", next_start=due["changed"])
    dag("check_moved", "0 5 * * *", next_start=due["moved"] + timedelta(hours=1))
    dag("check_removed", "0 3 * * *")
    found = admin.get("/schedules").json()
    assert [(one["name"], one["in_force"], one["paused"]) for one in found["checks"]] == [
        ("night", True, True), ("changed", False, False), ("moved", False, False),
    ]  # fmt: skip
    assert found["leaving"] == ["removed"]


def test_proposed_schedules_are_shown_and_not_stored(admin: httpx.Client, defaults: None) -> None:
    proposed = {"timezone": "America/New_York", "checks": [{"name": "noon", "cron": "0 12 * * 1-5"}]}
    found = admin.post("/schedules/preview", json=proposed).raise_for_status().json()
    assert (found["timezone"], found["checks"][0]["words"]) == ("America/New_York", "At 12:00, Monday through Friday")
    assert admin.get("/settings").json()["schedule"]["checks"][0]["name"] == "night"


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ({"checks": [{"name": "night", "cron": "3 o'clock"}]}, "checks.0.cron", "not a cron expression"),
        ({"checks": [{"name": "night", "cron": "0 3 30 2 *"}]}, "checks.0.cron", "no day has this date"),
        ({"checks": [{"name": "streams", "cron": "0 3 * * *"}]}, "checks.0.name", "a DAG of StreamFlow's own"),
        ({"checks": [NIGHT, NIGHT]}, "checks", "the same name"),
        ({"timezone": "Berlin"}, "timezone", "not a time zone"),
    ],
)
def test_a_wrong_proposal_is_refused_as_a_change_is(
    admin: httpx.Client, defaults: None, value: dict[str, Any], field: str, message: str
) -> None:
    for refused in (admin.post("/schedules/preview", json=value), admin.put("/settings/schedule", json=value)):
        assert refused.status_code == 422
        [fault] = refused.json()["errors"]
        assert (fault["field"], message in fault["message"]) == (field, True)


def test_the_next_events_carry_the_names_of_their_channels(admin: httpx.Client, redis_client: Redis) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    redis_client.set(
        NEXT_EVENTS_KEY,
        f'[{{"kind": "recording", "channel_id": 1, "starts_at": "{soon}", "title": "Derby"}},'
        f' {{"kind": "recording", "channel_id": 999, "starts_at": "{soon}"}}]',
    )
    [event] = admin.get("/schedules").json()["events"]
    assert (event["channel"], event["title"], event["kind"]) == ("Das Erste", "Derby", "recording")
