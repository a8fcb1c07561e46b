"""A real Dispatcharr beside the product: docs/develop/how-to-test-with-dispatcharr.md says how to start one.

The lab's stand-in (``include/lab/dispatcharr.py``) has to behave like it.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import Account, Group, Lab, Library, Media, Stream, running
from streamflow.errors import SourceConflict
from streamflow.records import Channel
from streamflow.sources.dispatcharr import Dispatcharr
from streamflow.udi.snapshot import Snapshot
from support.library import result
from support.web_server import serving

URL, KEY = (os.environ.get(f"STREAMFLOW_TEST_DISPATCHARR_{name}", "") for name in ("URL", "KEY"))
STREAMS = 4
SECONDS = 60.0

pytestmark = pytest.mark.skipif(not (URL and KEY), reason="STREAMFLOW_TEST_DISPATCHARR_URL and _KEY are not set")


class Api:
    """Dispatcharr's API as an administrator uses it."""

    def __call__(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        # A connection for each request: Dispatcharr sends a body with some replies of status 204.
        headers = {"X-API-Key": KEY, "Connection": "close"}
        reply = httpx.request(
            method, URL + path, json=body, params=params, headers=headers, timeout=SECONDS, trust_env=False
        )
        assert reply.is_success, f"{method} {path}: {reply.status_code} {reply.text[:300]}"
        return reply.json() if reply.content else None


class Set:
    """What the tests have set up in Dispatcharr: an account with four streams, and a channel of them."""

    def __init__(self, api: Api, lab: Lab) -> None:
        login, name = lab.library.accounts[0], f"streamflow-test-{uuid.uuid4().hex[:8]}"
        self.api, self.name = api, name
        self.account: dict[str, Any] = api(
            "POST", "/api/m3u/accounts/",
            {"name": name, "account_type": "XC", "server_url": lab.provider, "username": login.username,
             "password": login.password, "max_streams": 2, "is_active": True, "refresh_interval": 0},
        )  # fmt: skip
        api("POST", f"/api/m3u/refresh/{self.account['id']}/")
        eventually(lambda: api("GET", f"/api/m3u/accounts/{self.account['id']}/")["updated_at"])
        page = api("GET", "/api/channels/streams/", m3u_account=self.account["id"], page_size=100)
        self.streams: list[int] = sorted(stream["id"] for stream in page["results"])
        self.channel: dict[str, Any] = api("POST", "/api/channels/channels/", {"name": name, "streams": self.streams})

    def order(self) -> list[int]:
        """Return the channel's streams in order."""
        return list(self.api("GET", f"/api/channels/channels/{self.channel['id']}/")["streams"])

    def of(self, snapshot: Snapshot) -> Channel | None:
        """Return the channel in a library."""
        return next((one for one in snapshot.channels if one.id == self.channel["id"]), None)

    def remove(self) -> None:
        """Remove the channel and the account with its streams."""
        self.api("DELETE", f"/api/channels/channels/{self.channel['id']}/")
        self.api("DELETE", f"/api/m3u/accounts/{self.account['id']}/")


def eventually(condition: Callable[[], Any]) -> Any:
    """Return the condition's first true value."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.5)
    return value


@pytest.fixture(scope="module")
def made(lab_media: Media) -> Iterator[Set]:
    library = Library(
        [Account(1, "North", "real-north", "real-word", max_streams=2, refusal="458")],
        [Stream(i, f"Test {i}", 1, clip="sd480p30", group_id=1) for i in range(1, STREAMS + 1)],
        groups=[Group(1, "Tests")],
    )
    with running(library, lab_media) as lab:
        lab.media.clip("sd480p30")
        made = Set(Api(), lab)
        try:
            yield made
        finally:
            made.remove()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Dispatcharr]:
    with closing(Dispatcharr.from_env({"DISPATCHARR_URL": URL, "DISPATCHARR_API_KEY": KEY}, tmp_path)) as source:
        yield source


def test_the_library_is_read(source: Dispatcharr, made: Set) -> None:
    snapshot = source.fetch()
    assert snapshot.broken == []
    channel, account = made.of(snapshot), next(one for one in snapshot.accounts if one.id == made.account["id"])
    assert channel
    assert (channel.name, channel.own_name, list(channel.stream_ids)) == (made.name, None, made.streams)
    assert (account.account_type, account.max_streams) == ("XC", 2)
    assert source.time_zone()
    assert source.summary().startswith("Dispatcharr, version ")


def test_an_order_is_written_unless_somebody_changed_it(source: Dispatcharr, made: Set) -> None:
    before = made.order()
    after = [*before[1:], before[0]]
    source.channels.write_order(made.channel["id"], before, after)
    assert list(source.channels.order(made.channel["id"])) == made.order() == after
    with pytest.raises(SourceConflict, match="was changed"):
        source.channels.write_order(made.channel["id"], before, before[::-1])
    gone = max(made.streams) + 1_000_000
    with pytest.raises(SourceConflict, match="does not exist any more"):
        source.channels.write_order(made.channel["id"], after, [*after, gone])
    assert made.order() == after


def test_measurements_are_merged_into_the_statistics(source: Dispatcharr, made: Set) -> None:
    stream = made.streams[0]
    made.api("PATCH", f"/api/channels/streams/{stream}/", {"stream_stats": {"of_somebody_else": 1}})
    source.channels.write_results(made.channel["id"], [result(stream, width=1280, height=720)])
    stored = made.api("GET", f"/api/channels/streams/{stream}/")
    assert stored["stream_stats"]["of_somebody_else"] == 1
    assert stored["stream_stats"]["resolution"] == "1280x720"
    assert stored["stream_stats_updated_at"]


def test_a_hidden_channel_stays_in_the_library(source: Dispatcharr, made: Set) -> None:
    source.channels.hide(made.channel["id"], True)
    assert made.channel["id"] not in [one["id"] for one in made.api("GET", "/api/channels/channels/")]
    channel = made.of(source.fetch())
    assert channel
    assert channel.is_hidden
    source.channels.hide(made.channel["id"], False)
    assert made.channel["id"] in [one["id"] for one in made.api("GET", "/api/channels/channels/")]


def test_a_watched_channel_holds_a_connection_of_its_account(source: Dispatcharr, made: Set) -> None:
    (profile,) = made.api("GET", f"/api/m3u/accounts/{made.account['id']}/")["profiles"]
    watching = f"{URL}/proxy/ts/stream/{made.channel['uuid']}"
    with httpx.stream("GET", watching, timeout=SECONDS, trust_env=False) as reply:
        next(reply.iter_bytes())
        assert source.viewers()[profile["id"]] == 1
    eventually(lambda: profile["id"] not in source.viewers())


def test_webhooks_are_made_tested_and_removed(source: Dispatcharr, made: Set) -> None:
    with serving(b'{"does": "nothing"}', 202) as address:
        webhook = source.webhooks.create(address, "secret-of-the-real-test-0123456789")
        try:
            assert webhook in source.webhooks.present()
            assert source.webhooks.test(webhook.id) is None
            made.api("POST", f"/api/m3u/refresh/{made.account['id']}/")
            sent = eventually(lambda: [one for one in deliveries(made.api) if one["integration"] == webhook.id])
            assert {one["event"] for one in sent} == {"m3u_refresh"}
        finally:
            source.webhooks.remove(webhook.id)
    assert webhook not in source.webhooks.present()


def deliveries(api: Api) -> list[dict[str, Any]]:
    """Return the subscriptions of the deliveries that succeeded."""
    logs = api("GET", "/api/connect/logs/")
    return [one["subscription"] for one in logs["results"] if one["status"] == "success"]


def test_recordings_are_events(source: Dispatcharr, made: Set) -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)
    body = {"channel": made.channel["id"], "start_time": start.isoformat(), "end_time": None,
            "custom_properties": {"program": {"title": "Derby"}}}  # fmt: skip
    recording = made.api(
        "POST", "/api/channels/recordings/", body | {"end_time": (start + timedelta(hours=1)).isoformat()}
    )
    events = [one for one in source.events(with_programmes=True) if one.channel_id == made.channel["id"]]
    made.api("DELETE", f"/api/channels/recordings/{recording['id']}/")
    assert [(one.kind, one.title, one.starts_at) for one in events] == [("recording", "Derby", start)]
