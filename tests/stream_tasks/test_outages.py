"""A provider that is down costs no channel its streams: real Redis, real provider, real Dispatcharr stand-in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from lab import Account, Channel, Group, Lab, Library, Media, Stream, running
from stream_tasks.finish import finish_run, summarise
from stream_tasks.plan import plan
from streamflow import config
from streamflow.checking.marks import RedisMarks
from streamflow.reports.alert_memory import RedisMemory
from streamflow.reports.alerts import alerts, of_run
from streamflow.udi import Udi, open_udi
from support.checks import PARAMS, check, forget_connections

NORTH = range(1, 5)
# Each channel holds two streams of North, and one of South behind them.
LIBRARY = Library(
    [Account(1, "North", "north", "secret-n"), Account(2, "South", "south", "secret-s")],
    [Stream(i, f"Channel {i}", 1, clip="sd480p30" if i % 2 else "fhd25_3m") for i in NORTH]
    + [Stream(i, f"Other {i}", 2, clip="hd25_2m") for i in (11, 12)],
    [Channel(i, float(i), f"Channel {i}", 10, (2 * i - 1, 2 * i, 10 + i)) for i in (1, 2)],
    [Group(10, "News")],
)


@pytest.fixture(scope="module")
def provider(lab_media: Media) -> Iterator[Lab]:
    with running(LIBRARY, lab_media) as lab:
        for stream in LIBRARY.streams:
            lab.url(stream)
        yield lab


@pytest.fixture
def store(task_home: Path, provider: Lab, redis_client: Redis) -> Udi:
    """The UDI of a home whose streams all worked at their last check."""
    config.save(config.Config.model_validate(
        {"probe": {"retries": 0, "thumbnails": False}, "concurrent_streams": {"stagger_delay": 0},
         "dead_streams": {"after_failures": 1, "action": "remove"},
         "safety": {"provider_down_least": 3, "max_removed_share": 1}}
    ))  # fmt: skip
    provider.set_outages()
    run("first night")
    forget_connections(redis_client)
    return open_udi(redis_client, task_home)


def run(run_id: str) -> list[int]:
    """Plan a run, check its streams one after the other, finish it, and return the streams in the order of checks."""
    streams = [planned["stream_id"] for planned in plan(PARAMS, run_id)]
    for stream_id in streams:
        check(stream_id, run_id)
    finish_run(run_id, PARAMS, write_back=True)
    summarise(run_id, PARAMS)
    return streams


def verdicts(store: Udi) -> dict[int, str]:
    latest = store.results.latest_of([stream.id for stream in LIBRARY.streams])
    return {stream: f"{one.verdict} {one.reason or ''}".strip() for stream, one in latest.items()}


def orders(provider: Lab) -> dict[int, list[int]]:
    return {id: list(one["streams"]) for id, one in provider.servers.dispatcharr.state.channels.items()}


@pytest.mark.parametrize("status", [0, 403, 500], ids=["closed connections", "403 for all", "500 for all"])
def test_an_outage_of_a_provider_costs_no_channel_a_stream(store: Udi, provider: Lab, status: int) -> None:
    before = orders(provider)
    provider.reset()
    provider.set_outages(North=status)
    run("second night")
    assert {verdict for stream, verdict in verdicts(store).items() if stream in NORTH} == {"unknown source_unavailable"}
    assert {verdict for stream, verdict in verdicts(store).items() if stream not in NORTH} == {"ok"}
    assert orders(provider) == before
    assert store.results.dead_memory(NORTH) == {} or all(
        memory.failures == 0 for memory in store.results.dead_memory(NORTH).values()
    )
    latest = store.results.latest(1)
    assert latest
    assert (latest.detail or "").startswith("the provider is down: 3 of 3 streams that worked before failed")


def test_probes_into_an_outage_stop(store: Udi, provider: Lab) -> None:
    provider.reset()
    provider.set_outages(North=403)
    run("second night")
    assert provider.account_record(1)["refused"] == 3


def test_a_provider_that_is_down_on_two_nights_costs_no_channel_a_stream(store: Udi, provider: Lab) -> None:
    before = orders(provider)
    provider.set_outages(North=500)
    run("second night")
    run("third night")
    assert orders(provider) == before
    provider.set_outages()
    run("fourth night")
    assert set(verdicts(store).values()) == {"ok"}
    assert orders(provider) == before


def test_a_line_that_is_down_costs_no_channel_a_stream(store: Udi, provider: Lab, redis_client: Redis) -> None:
    before = orders(provider)
    settings = config.load()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        safety = settings.safety.model_copy(update={"canary": (f"127.0.0.1:{bound.getsockname()[1]}",)})
        config.save(settings.model_copy(update={"safety": safety}))
        provider.set_outages(North=0, South=0)
        run("second night")
    assert set(verdicts(store).values()) == {"unknown source_unavailable"}
    assert orders(provider) == before
    assert reported(store, redis_client, "second night") == [("line_down", ["this machine"])]


def reported(store: Udi, redis: Redis, run_id: str) -> list[tuple[str, list[str]]]:
    state = store.runs.state(run_id)
    assert state
    found = alerts(of_run(store, state), RedisMemory(redis))
    return [(alert.kind, [one.name for one in alert.subjects]) for alert in found]


def test_an_outage_and_its_end_are_reported_once(store: Udi, provider: Lab, redis_client: Redis) -> None:
    def kinds(run_id: str) -> list[tuple[str, list[str]]]:
        run(run_id)
        return reported(store, redis_client, run_id)

    provider.set_outages(North=500)
    assert kinds("second night") == [("provider_down", ["North"])]
    assert kinds("third night") == []
    provider.set_outages()
    assert kinds("fourth night") == [("provider_back", ["North"])]
    assert kinds("fifth night") == []


def test_a_provider_that_is_back_is_checked_again(
    store: Udi, provider: Lab, monkeypatch: pytest.MonkeyPatch, redis_client: Redis
) -> None:
    provider.set_outages(North=500)
    streams = [planned["stream_id"] for planned in plan(PARAMS, "second night")]
    north = [stream for stream in streams if stream in NORTH]
    for stream in north[:3]:
        check(stream, "second night")
    provider.set_outages()
    redis_client.delete(RedisMarks(redis_client, "second night")._probe_key(store.library.accounts()[0].budget))
    for stream in north[3:]:
        check(stream, "second night")
    assert [verdicts(store)[stream] for stream in north[3:]] == ["ok"]
    assert {verdicts(store)[stream] for stream in north[:3]} == {"unknown source_unavailable"}


def test_a_few_dead_streams_of_a_provider_that_works_are_dead(store: Udi, provider: Lab) -> None:
    streams = [planned["stream_id"] for planned in plan(PARAMS, "second night")]
    north = [stream for stream in streams if stream in NORTH]
    provider.set_outages(North=500)
    for stream in north[:2]:
        check(stream, "second night")
    provider.set_outages()
    for stream in (*north[2:], *(stream for stream in streams if stream not in NORTH)):
        check(stream, "second night")
    finish_run("second night", PARAMS, write_back=True)
    assert {verdicts(store)[stream] for stream in north[:2]} == {"dead http_5xx"}
    assert not set(north[:2]) & {stream for order in orders(provider).values() for stream in order}


def test_a_channel_waits_until_its_logins_are_decided(store: Udi, provider: Lab) -> None:
    streams = [planned["stream_id"] for planned in plan(PARAMS, "second night")]
    provider.set_outages(North=500)
    for stream in LIBRARY.channels[0].stream_ids:
        check(stream, "second night")
    state = store.runs.state("second night")
    assert state
    assert state.finished_channels == {}
    provider.set_outages()
    check(next(stream for stream in streams if stream in NORTH and stream > 2), "second night")
    state = store.runs.state("second night")
    assert state
    assert set(state.finished_channels) == {1}


def test_a_lost_mark_is_found_again(store: Udi, provider: Lab, redis_client: Redis) -> None:
    provider.set_outages(North=500)
    streams = [planned["stream_id"] for planned in plan(PARAMS, "second night")]
    for stream in streams:
        redis_client.delete(RedisMarks(redis_client, "second night")._key)
        check(stream, "second night")
    finish_run("second night", PARAMS, write_back=True)
    assert {verdict for stream, verdict in verdicts(store).items() if stream in NORTH} == {"unknown source_unavailable"}
