"""Checks before events: read from the lab's Dispatcharr, started once, and not when it is too late."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from lab import Account, Channel, Group, Lab, Library, Media, Stream, running
from stream_tasks.before_events import cron, next_events, runs
from stream_tasks.refresh import refresh
from streamflow import config
from streamflow.config import BeforeEvents
from streamflow.reports.late_events import LateEvents

LIBRARY = Library(
    [Account(1, "North", "north", "secret-n", max_streams=1)],
    [Stream(1, "One", 1, clip="hd25_2m"), Stream(2, "Two", 1, clip="hd25_2m")],
    [Channel(1, 1.0, "Das Erste", 10, (1, 2)), Channel(2, 2.0, "Sport 1", 10, (2,))],
    [Group(10, "News")],
)


@pytest.fixture(scope="module")
def provider(lab_media: Media) -> Iterator[Lab]:
    with running(LIBRARY, lab_media) as lab:
        yield lab


@pytest.fixture
def dispatcharr(task_home: Path, provider: Lab) -> Any:
    """The state of the lab's Dispatcharr, without events."""
    state = provider.servers.dispatcharr.state
    state.recordings, state.programmes, state.guides = [], [], []
    refresh()
    return state


def soon(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def recording(channel_id: int, minutes: float) -> dict[str, Any]:
    return {"id": 1, "channel": channel_id, "start_time": soon(minutes), "end_time": soon(minutes + 60),
            "custom_properties": {"program": {"title": "Derby"}}}  # fmt: skip


def test_a_recording_starts_one_check_of_its_channel_that_ends_before_it(dispatcharr: Any) -> None:
    dispatcharr.recordings = [recording(1, 15), recording(2, 90)]
    (run,) = runs()
    assert run["trigger_run_id"].startswith("event__1__")
    conf = run["conf"]
    assert (conf["channel_ids"], conf["force"]) == ([1], True)
    assert timedelta(minutes=14) < datetime.fromisoformat(conf["window"]["until"]) - datetime.now(UTC)
    assert runs() == []


def test_the_events_of_the_next_day_are_known_from_one_look(dispatcharr: Any, redis_client: Redis) -> None:
    assert next_events(redis_client) == []
    dispatcharr.recordings = [recording(2, 600), recording(1, 15), recording(1, 1500)]
    runs()
    assert [one.channel_id for one in next_events(redis_client)] == [1, 2]
    dispatcharr.recordings = []
    runs()
    assert next_events(redis_client) == []


def test_a_lost_claim_starts_no_run_of_another_id(dispatcharr: Any, redis_client: Redis) -> None:
    dispatcharr.recordings = [recording(1, 15)]
    (run,) = runs()
    redis_client.delete(*redis_client.keys("{streamflow}:events:*"))
    assert runs() == [run]


def test_an_event_that_starts_too_soon_is_told_once_and_not_checked(
    dispatcharr: Any, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    dispatcharr.recordings = [recording(1, 0.2)]
    with caplog.at_level(logging.WARNING):
        assert runs() == runs() == []
    told = [one.getMessage() for one in caplog.records if "too late" in one.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("too late for recording 'Derby' of channel 1: it starts in 1")
    (late,) = LateEvents(redis_client).recent()
    assert (late.event.title, late.event.channel_id, late.seconds > 10) == ("Derby", 1, True)


@pytest.mark.parametrize("guide", [{"epg_data_id": 5}, {"epg_data_id": 6, "effective_epg_data_id": 5}])
def test_a_programme_is_found_by_its_title_and_its_channels_guide(dispatcharr: Any, guide: dict[str, int]) -> None:
    config.save(config.Config.model_validate({"schedule": {"before_events": {"titles": ["Derby*"]}}}))
    dispatcharr.guides = [{"id": 5, "tvg_id": "erste.de", "name": "Das Erste", "epg_source": 1}]
    dispatcharr.channels[1] |= guide
    dispatcharr.programmes = [
        {"id": 1, "title": "Derby live", "tvg_id": "erste.de", "start_time": soon(10), "end_time": soon(70)},
        {"id": 2, "title": "News", "tvg_id": "erste.de", "start_time": soon(12), "end_time": soon(70)},
        # Dispatcharr makes programmes up for channels without a guide.
        {"id": 3, "title": "Derby live", "tvg_id": "6ad0f2c6-uuid", "start_time": soon(10), "end_time": soon(70)},
        {"id": 4, "title": "Derby live", "tvg_id": "erste.de", "start_time": "tomorrow", "end_time": None},
    ]
    assert [run["conf"]["channel_ids"] for run in runs()] == [[1]]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, "*/5 * * * *"), ({"minutes": 2}, "*/2 * * * *"), ({"minutes": 0}, None), ({"recordings": False}, None),
     ({"recordings": False, "titles": ["Derby"]}, "*/5 * * * *")],
)  # fmt: skip
def test_events_are_looked_for_only_where_they_are_wanted(settings: dict[str, Any], expected: str | None) -> None:
    assert cron(BeforeEvents.model_validate(settings)) == expected
