"""Playbacks: events of webhooks, with a real Redis and the lab's Dispatcharr, become evidence in the UDI."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

import lab
from lab import Lab, Library, Media, running
from stream_checker.hooks.message import WebhookMessage
from stream_checker.hooks.playbacks import EVENTS_KEY, observe
from streamflow.planning.playback import Kind
from streamflow.records import Account, Channel
from streamflow.udi import Udi, open_udi
from streamflow.udi.snapshot import Snapshot
from support.library import stream

LIBRARY = Library(
    [lab.Account(1, "North", "north", "secret")],
    [lab.Stream(1, "One", 1), lab.Stream(2, "Two", 1)],
    [lab.Channel(1, 1.0, "One", 10, (1, 2))],
    [lab.Group(10, "News")],
)
STOP = {"runtime": "40", "total_bytes": "1000"}


@pytest.fixture(scope="module")
def served(lab_media: Media) -> Iterator[Lab]:
    with running(LIBRARY, lab_media) as served:
        yield served


@dataclass(frozen=True)
class Hooks:
    """The events of a session that began 50 s ago."""

    redis: Redis
    store: Udi
    begin: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=50))

    def send(self, event: Kind, seconds: float, channel_ids: tuple[int, ...] = (1,), **fields: Any) -> None:
        at = (self.begin + timedelta(seconds=seconds)).timestamp()
        message = WebhookMessage.model_validate({"event": event, "at": at, **fields})
        observe(self.redis, self.store, channel_ids, event, message)

    def told(self) -> list[tuple[int, float, int, str | None]]:
        """Return stream, length (s), breaks and codec of all playbacks, the oldest first."""
        found = [one for past in self.store.results.playbacks([1, 2]).values() for one in past]
        return [
            (one.stream_id, one.since(None).total_seconds(), one.breaks, one.video_codec)
            for one in sorted(found, key=lambda one: one.begun_at)
        ]

    def publish(self, base: str) -> None:
        """Publish the library with addresses of its streams that begin alike."""
        streams = [stream(one, url=f"{base}/{one}") for one in (1, 2)]
        channels = [Channel(id=1, name="One", stream_ids=(1, 2))]
        self.store.publish(
            Snapshot(accounts=[Account(id=1, name="one")], groups=[], streams=streams, channels=channels)
        )


@pytest.fixture
def hooks(tmp_path: Path, served: Lab, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> Hooks:
    monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("DISPATCHARR_URL", served.dispatcharr)
    monkeypatch.setenv("DISPATCHARR_API_KEY", served.addresses()["api_key"])
    hooks = Hooks(redis_client, open_udi(redis_client, tmp_path))
    hooks.publish("http://provider.test")
    return hooks


def test_a_session_with_a_switch_becomes_evidence_about_both_streams(hooks: Hooks, served: Lab) -> None:
    hooks.send("channel_start", 0, stream_id="1")
    hooks.send("stream_switch", 10, stream_id="2")
    served.servers.dispatcharr.state.streams[2] |= {
        "stream_stats": {"video_codec": "hevc", "width": "1920"},
        "stream_stats_updated_at": datetime.now(UTC).isoformat(),
    }
    hooks.send("channel_stop", 40, runtime="42,5", total_bytes="1000")
    assert hooks.told() == [(1, 10, 1, None), (2, 30, 0, "hevc")]


def test_statistics_from_before_the_playback_are_not_its_own(hooks: Hooks, served: Lab) -> None:
    served.servers.dispatcharr.state.streams[1] |= {
        "stream_stats": {"video_codec": "mpeg2video"},
        "stream_stats_updated_at": (hooks.begin - timedelta(days=1)).isoformat(),
    }
    hooks.send("channel_start", 0, stream_id="1")
    hooks.send("channel_stop", 40, **STOP)
    assert hooks.told() == [(1, 40, 0, None)]


def test_an_unreachable_dispatcharr_costs_the_figures_alone(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCHARR_URL", "http://127.0.0.1:1")
    hooks.send("channel_start", 0, stream_id="1")
    hooks.send("channel_stop", 40, **STOP)
    assert hooks.told() == [(1, 40, 0, None)]


def test_events_of_several_servers_at_once_are_all_kept(hooks: Hooks) -> None:
    hooks.send("channel_start", 0, stream_id="1")
    together = threading.Barrier(8)

    def reconnect(second: int) -> None:
        together.wait()
        hooks.send("channel_reconnect", second)

    threads = [threading.Thread(target=reconnect, args=(second,)) for second in range(4, 36, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hooks.send("channel_stop", 40, **STOP)
    assert hooks.told() == [(1, 40, 8, None)]


def test_a_restarted_server_goes_on_with_the_events_in_redis(hooks: Hooks, redis_client: Redis, tmp_path: Path) -> None:
    hooks.send("channel_start", 0, stream_id="1")
    again = Hooks(redis_client, open_udi(redis_client, tmp_path), hooks.begin)
    again.send("channel_stop", 40, **STOP)
    assert again.told() == [(1, 40, 0, None)]
    # A Redis that has lost the start proves nothing.
    redis_client.delete(f"{EVENTS_KEY}1")
    again.send("channel_stop", 47, **STOP)
    assert again.told() == [(1, 40, 0, None)]


def test_an_address_that_changed_during_the_playback_is_no_evidence(hooks: Hooks) -> None:
    hooks.send("channel_start", 0, stream_id="1")
    hooks.publish("http://moved.test")
    hooks.send("channel_stop", 40, **STOP)
    assert hooks.told() == []


def test_a_wrong_clock_of_the_sender_is_not_believed(hooks: Hooks) -> None:
    hooks.send("channel_start", 0, stream_id=1)
    hooks.send("channel_stop", 86_400, runtime=86_400, total_bytes=1000)
    assert hooks.told() == []


def test_an_unknown_stream_or_channel_and_a_redis_that_is_away_are_no_evidence(hooks: Hooks) -> None:
    hooks.send("channel_start", 0, stream_id="77")
    hooks.send("channel_stop", 40, **STOP)
    hooks.send("channel_start", 0, (), stream_id="1")
    hooks.send("channel_start", 0, (1, 2), stream_id="1")
    Hooks(Redis(port=1, socket_connect_timeout=0.1), hooks.store).send("channel_start", 0, stream_id="1")
    assert hooks.told() == []
