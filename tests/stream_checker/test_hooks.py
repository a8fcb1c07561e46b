"""Dispatcharr's webhooks: their secret, what each does, and that a burst is one run."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from jinja2 import Environment
from markupsafe import Markup
from redis import Redis

from stream_checker.hooks.debounce import CHANNELS, DebouncedRuns
from streamflow.names import CHECK_DAG, REFRESH_DAG
from streamflow.udi import Udi, open_udi

from . import library
from .server import PROJECT, WEBHOOK_SECRET, Server

SECRET = {"X-StreamFlow-Secret": WEBHOOK_SECRET}


@pytest.fixture
def hook(server: Server, admin: httpx.Client) -> Callable[..., httpx.Response]:
    """Posts an event as Dispatcharr does, without a token of Airflow."""

    def post(headers: dict[str, str] = SECRET, **event: Any) -> httpx.Response:
        with server.client() as dispatcharr:
            return dispatcharr.post("/hooks/dispatcharr", json=event, headers=headers)

    return post


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-StreamFlow-Secret": "wrong"}, {"X-StreamFlow-Secret": ""}, {"Authorization": f"Basic {WEBHOOK_SECRET}"}],
)
def test_it_needs_its_secret(hook: Callable[..., httpx.Response], headers: dict[str, str]) -> None:
    answer = hook(headers, event="channel_error", channel_id=1)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_token_of_airflow_is_no_secret(admin: httpx.Client) -> None:
    assert admin.post("/hooks/dispatcharr", json={"event": "m3u_refresh"}).status_code == 401


@pytest.mark.parametrize(
    ("event", "does", "channels"),
    [
        ({"event": "channel_error", "channel_id": 1}, "check", {b"1"}),
        ({"event": "channel_failover", "payload": {"channel_name": "das erste"}}, "check", {b"1"}),
        ({"event": "channel_failover", "channel_id": "u-1", "channel_name": ""}, "check", {b"1"}),
        ({"event": "channel_error", "channel_name": "Second", "unheard": {"of": 1}}, "check", {b"2"}),
        ({"event": "channel_error", "channel_name": "nobody's"}, "nothing", set()),
        ({"event": "channel_error", "channel_id": 999}, "nothing", set()),
        ({"event": "channel_error"}, "nothing", set()),
        ({"event": "login_failed"}, "nothing", set()),
        ({"event": "channel_start", "channel_id": "u-1"}, "viewers", set()),
    ],
)
def test_an_event_does_what_it_should(
    hook: Callable[..., httpx.Response], redis_client: Redis, event: dict[str, Any], does: str, channels: set[bytes]
) -> None:
    for headers in (SECRET, {"Authorization": f"Bearer {WEBHOOK_SECRET}"}):
        answer = hook(headers, **event)
        assert (answer.status_code, answer.json()) == (202, {"does": does})
    assert redis_client.smembers(CHANNELS) == channels


def documented_templates() -> list[str]:
    """The payload templates that the documentation tells users to paste."""
    return re.findall(r'\{"event": ".*\}$', (PROJECT / "docs" / "use" / "webhooks.md").read_text(), re.MULTILINE)


def escapejs(text: str) -> str:
    """What Django's filter of that name makes of a text: nothing left that ends a string or a tag, as ``\\uXXXX``."""
    return "".join(rf"\u{ord(one):04X}" if one in "\\'\"<>&=-;`" or one < " " else one for one in text)


def test_the_documented_templates_are_understood_whatever_a_channel_is_called(
    server: Server, admin: httpx.Client, udi: Udi, redis_client: Redis
) -> None:
    name = 'Tom & "Jerry" <HD> \\ Ünï-1'
    library_now = library.snapshot()
    library_now.channels[0] = library_now.channels[0].model_copy(update={"name": name})
    udi.publish(library_now, force=True)
    # Dispatcharr's templates escape HTML, but for what a filter has made safe.
    environment = Environment(autoescape=True)
    environment.filters["escapejs"] = lambda text: Markup(escapejs(text))  # noqa: S704
    does = {}
    with server.client() as dispatcharr:
        for template in documented_templates():
            content = environment.from_string(template).render(channel_name=name)
            answer = dispatcharr.post(
                "/hooks/dispatcharr", content=content, headers=SECRET | {"Content-Type": "application/json"}
            )
            assert answer.status_code == 202, answer.text
            does[json.loads(content)["event"]] = answer.json()["does"]
    assert does == {
        "m3u_refresh": "refresh",
        "channel_failover": "check",
        "channel_error": "check",
        "channel_start": "viewers",
        "channel_stop": "viewers",
    }
    assert redis_client.smembers(CHANNELS) == {b"1"}


def test_an_event_that_is_none_is_a_422(hook: Callable[..., httpx.Response]) -> None:
    for event in ({}, {"event": ""}):
        assert [fault["field"] for fault in hook(**event).json()["errors"]] == ["event"]


def test_a_payload_without_a_template_says_what_is_missing(server: Server) -> None:
    with server.client() as dispatcharr:
        answer = dispatcharr.post("/hooks/dispatcharr", data={"channel_name": "Das Erste"}, headers=SECRET)
    assert answer.status_code == 422


def test_without_redis_dispatcharr_is_told(
    hook: Callable[..., httpx.Response], redis_away: Callable[[], AbstractContextManager[None]]
) -> None:
    with redis_away():
        assert hook(event="channel_error", channel_id=1).status_code == 503


# -- bursts --------------------------------------------------------------------------------------


class Started:
    """The runs that were started; ``refused`` makes the next start fail."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, dict[str, Any]]] = []
        self.refused = False
        self.tried = threading.Semaphore(0)

    def __call__(self, dag_id: str, conf: dict[str, Any]) -> None:
        self.tried.release()
        if self.refused:
            raise LookupError("no such DAG")
        self.runs.append((dag_id, conf))

    def wait(self) -> None:
        assert self.tried.acquire(timeout=5)


@pytest.fixture
def started() -> Started:
    return Started()


@pytest.fixture
def store(redis_client: Redis, tmp_path: Path) -> Udi:
    store = open_udi(redis_client, tmp_path)
    library.fill(store)
    return store


@pytest.fixture
def bursts(redis_client: Redis, store: Udi, started: Started) -> DebouncedRuns:
    return DebouncedRuns(redis_client, store, started, settle=0.2)


def test_a_burst_is_one_run_of_all_its_channels(bursts: DebouncedRuns, started: Started, redis_client: Redis) -> None:
    for _ in range(20):
        bursts.check_channels([2])
        bursts.check_channels([1])
    started.wait()
    assert not started.tried.acquire(timeout=0.4)
    assert started.runs == [(CHECK_DAG, {"channel_ids": [1, 2], "force": True})]
    assert not redis_client.exists(CHANNELS)
    bursts.check_channels([1])
    started.wait()
    assert len(started.runs) == 2


def test_what_could_not_be_started_is_started_with_the_next_burst(
    bursts: DebouncedRuns, started: Started, redis_client: Redis
) -> None:
    started.refused = True
    bursts.check_channels([1])
    started.wait()
    deadline = time.monotonic() + 5
    while not redis_client.exists(CHANNELS):
        assert time.monotonic() < deadline
    started.refused = False
    bursts.check_channels([2])
    started.wait()
    assert started.runs == [(CHECK_DAG, {"channel_ids": [1, 2], "force": True})]


def test_a_burst_over_several_servers_is_one_refresh(
    bursts: DebouncedRuns, started: Started, redis_client: Redis, store: Udi
) -> None:
    other = DebouncedRuns(redis_client, store, started, settle=0.2)
    for server in (bursts, other, bursts, other):
        server.refresh()
    started.wait()
    assert not started.tried.acquire(timeout=0.4)
    assert started.runs == [(REFRESH_DAG, {})]


def test_new_streams_of_channels_are_checked(bursts: DebouncedRuns, started: Started, store: Udi) -> None:
    for _ in range(5):
        bursts.refresh()
    started.wait()
    assert started.runs == [(REFRESH_DAG, {})]
    store.publish(library.snapshot(), force=True)
    started.wait()
    assert started.runs == [(REFRESH_DAG, {}), (CHECK_DAG, {"stream_ids": [4, 5, 6]})]
