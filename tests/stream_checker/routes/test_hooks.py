"""Dispatcharr's webhooks over HTTP: their secret, their messages, and the action of each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from jinja2 import Environment
from markupsafe import Markup
from redis import Redis

from lab import Lab
from stream_checker.hooks.debounce import CHANNELS_KEY, COOLDOWN_KEY
from streamflow.sources.dispatcharr.webhooks import TEMPLATES
from streamflow.udi import Udi
from streamflow_stack.cli import connect

from .. import library
from ..server import PROJECT, WEBHOOK_SECRET, Server

SECRET = {"X-StreamFlow-Secret": WEBHOOK_SECRET}
WRONG = [
    {},
    {"X-StreamFlow-Secret": "wrong"},
    {"X-StreamFlow-Secret": ""},
    {"Authorization": f"Basic {WEBHOOK_SECRET}"},
]


@pytest.fixture
def send(server: Server, admin: httpx.Client) -> Callable[..., httpx.Response]:
    """Return a function that sends an event as Dispatcharr does, without a token of Airflow."""

    def post(headers: dict[str, str] = SECRET, **event: Any) -> httpx.Response:
        with server.client() as dispatcharr:
            return dispatcharr.post("/hooks/dispatcharr", json=event, headers=headers)

    return post


@pytest.mark.parametrize("headers", WRONG)
def test_it_needs_its_secret(send: Callable[..., httpx.Response], headers: dict[str, str]) -> None:
    response = send(headers, event="channel_error", channel_id=1)
    # Other tests may have used up the wrong secrets that are allowed in a minute.
    assert response.status_code in (401, 429)
    assert response.headers["content-type"] == "application/problem+json"


def test_a_token_of_airflow_is_no_secret(admin: httpx.Client) -> None:
    assert admin.post("/hooks/dispatcharr", json={"event": "m3u_refresh"}).status_code in (401, 429)


@pytest.mark.parametrize(
    ("event", "does", "channels"),
    [
        ({"event": "channel_error", "channel_id": 1}, "check", {b"1"}),
        ({"event": "channel_error", "channel_id": "1"}, "check", {b"1"}),
        ({"event": "channel_failover", "payload": {"channel_name": "das erste"}}, "check", {b"1"}),
        ({"event": "channel_failover", "channel_id": "u-1", "channel_name": ""}, "check", {b"1"}),
        ({"event": "channel_error", "channel_name": "Second", "unknown": {"field": 1}}, "check", {b"2"}),
        ({"event": "channel_error", "channel_name": "zweites"}, "check", {b"2"}),
        ({"event": "channel_error", "channel_name": "unknown"}, "nothing", set()),
        ({"event": "channel_error", "channel_id": 999}, "nothing", set()),
        ({"event": "channel_error"}, "nothing", set()),
        ({"event": "login_failed"}, "nothing", set()),
        ({"event": "channel_start", "channel_id": "u-1"}, "viewers", set()),
        ({"event": "stream_switch", "channel_id": 1, "stream_id": "", "at": 1767323045}, "evidence", set()),
        ({"event": "channel_stop", "channel_id": 1, "runtime": "None", "total_bytes": ""}, "viewers", set()),
    ],
)
def test_an_event_has_its_action(
    send: Callable[..., httpx.Response], redis_client: Redis, event: dict[str, Any], does: str, channels: set[bytes]
) -> None:
    for headers in (SECRET, {"Authorization": f"Bearer {WEBHOOK_SECRET}"}):
        response = send(headers, **event)
        assert (response.status_code, response.json()) == (202, {"does": does})
    assert redis_client.smembers(CHANNELS_KEY) == channels


def test_a_channel_that_was_just_checked_is_not_checked_again(
    send: Callable[..., httpx.Response], redis_client: Redis
) -> None:
    redis_client.set(f"{COOLDOWN_KEY}1", "1", ex=300)
    assert send(event="channel_error", channel_id=1).json() == {"does": "nothing"}
    assert not redis_client.exists(CHANNELS_KEY)


@pytest.mark.parametrize(
    "event",
    [
        {"channel_id": "9" * 5000},
        {"channel_id": "9" * 50},
        {"channel_id": 2**63},
        {"channel_id": [1]},
        {"payload": {"channel_id": "9" * 5000}},
        {"payload": {"channel_id": {"id": 1}}},
        {"channel_name": "x" * 1001},
        {"payload": [1]},
    ],
)
def test_a_channel_that_cannot_exist_is_a_422(send: Callable[..., httpx.Response], event: dict[str, Any]) -> None:
    response = send(event="channel_error", **event)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def documented_templates() -> list[str]:
    """Return the payload templates of the documentation."""
    (document,) = (PROJECT / "docs").rglob("[wW][eE][bB][hH][oO][oO][kK][sS].md")
    return re.findall(r'\{"event": ".*\}$', document.read_text(), re.MULTILINE)


def escapejs(text: str) -> str:
    r"""Return the text as Django's filter of that name escapes it: special characters become ``\uXXXX``."""
    return "".join(rf"\u{ord(one):04X}" if one in "\\'\"<>&=-;`" or one < " " else one for one in text)


def test_the_documented_templates_work_for_any_name_of_a_channel(
    server: Server, admin: httpx.Client, udi: Udi, redis_client: Redis
) -> None:
    name = 'Tom & "Jerry" <HD> \\ Ünï-1'
    snapshot = library.snapshot()
    snapshot.channels[0] = snapshot.channels[0].model_copy(update={"name": name})
    udi.publish(snapshot, force=True)
    # Dispatcharr's templates escape HTML unless a filter marked the text as safe.
    environment = Environment(autoescape=True)
    environment.filters["escapejs"] = lambda text: Markup(escapejs(text))  # noqa: S704
    does = {}
    with server.client() as dispatcharr:
        for template in documented_templates():
            # A tag of Django's, for the seconds since 1970.
            content = environment.from_string(template.replace('{% now "U" %}', "1767323045")).render(channel_name=name)
            response = dispatcharr.post(
                "/hooks/dispatcharr", content=content, headers=SECRET | {"Content-Type": "application/json"}
            )
            assert response.status_code == 202, response.text
            does[json.loads(content)["event"]] = response.json()["does"]
    assert does == {
        "m3u_refresh": "refresh",
        "channel_failover": "check",
        "channel_error": "check",
        "channel_start": "viewers",
        "channel_stop": "viewers",
        "stream_switch": "evidence",
        "channel_reconnect": "evidence",
    }
    assert redis_client.smembers(CHANNELS_KEY) == {b"1"}


def test_the_documented_templates_are_those_that_connect_makes() -> None:
    assert documented_templates() == list(TEMPLATES.values())


def test_dispatcharrs_test_of_a_webhook_arrives_as_a_form(
    server: Server, admin: httpx.Client, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMFLOW_HOME", str(server.home / "streamflow"))
    monkeypatch.setenv("DISPATCHARR_URL", lab.dispatcharr)
    monkeypatch.setenv("DISPATCHARR_API_KEY", lab.addresses()["api_key"])
    monkeypatch.setenv(connect.SECRET, WEBHOOK_SECRET)
    done = CliRunner().invoke(connect.command, ["--url", server.address])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "the test event arrived."), done.output


@pytest.mark.parametrize("form", [b"", b"channel_name=One", b"\xff=1", b"&".join([b"event=a"] * 101)])
def test_a_form_without_an_event_is_a_422(server: Server, form: bytes) -> None:
    headers = SECRET | {"Content-Type": "application/x-www-form-urlencoded"}
    with server.client() as dispatcharr:
        response = dispatcharr.post("/hooks/dispatcharr", content=form, headers=headers)
    assert response.status_code == 422
    assert [fault["field"] for fault in response.json()["errors"]] == ["event"]


def test_a_message_without_an_event_is_a_422(send: Callable[..., httpx.Response]) -> None:
    for event in ({}, {"event": ""}):
        assert [fault["field"] for fault in send(**event).json()["errors"]] == ["event"]


def test_a_message_that_is_no_json_is_a_422(server: Server) -> None:
    with server.client() as dispatcharr:
        response = dispatcharr.post("/hooks/dispatcharr", data={"channel_name": "Das Erste"}, headers=SECRET)
    assert response.status_code == 422


def test_without_redis_dispatcharr_gets_a_503(
    send: Callable[..., httpx.Response], redis_away: Callable[[], AbstractContextManager[None]]
) -> None:
    with redis_away():
        assert send(event="channel_error", channel_id=1).status_code == 503
