"""Events before which channels are checked: recordings, and programmes whose title and group fit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from streamflow.config import BeforeEvents
from streamflow.planning.events import upcoming
from streamflow.records import Channel, Event
from support.library import NOW

CHANNELS = {1: Channel(id=1, name="Das Erste", group_id=10), 2: Channel(id=2, name="Sport 1", group_id=20)}
GROUPS = {10: "News", 20: "UK | Sports"}


def event(channel_id: int, minutes: float, title: str = "", kind: Any = "recording") -> Event:
    return Event(kind=kind, channel_id=channel_id, starts_at=NOW + timedelta(minutes=minutes), title=title)


def found(*events: Event, **settings: Any) -> list[tuple[int, float, str]]:
    wanted = BeforeEvents.model_validate(settings)
    chosen = upcoming(events, wanted, CHANNELS, GROUPS, NOW, timedelta(minutes=wanted.minutes))
    return [(one.channel_id, (one.starts_at - NOW) / timedelta(minutes=1), one.kind) for one in chosen]


def test_recordings_of_the_next_minutes_are_chosen_the_next_one_first() -> None:
    events = [event(2, 20), event(1, 21), event(1, 5), event(1, -1), event(1, 0), event(9, 5)]
    assert found(*events) == [(1, 5, "recording"), (2, 20, "recording")]
    assert found(*events, recordings=False) == []
    assert found(*events, minutes=0) == []


@pytest.mark.parametrize(
    ("settings", "channels"),
    [
        ({"titles": ["Derby"]}, [1, 2]),
        ({"titles": ["Der*"]}, [1, 2]),
        ({"titles": ["Final"]}, []),
        ({"titles": []}, []),
        ({"titles": ["Derby"], "groups": ["UK | *"]}, [2]),
        ({"titles": ["Derby"], "groups": [10]}, [1]),
    ],
)
def test_programmes_are_chosen_by_title_and_group(settings: dict[str, Any], channels: list[int]) -> None:
    events = [event(1, 5, "Derby", "programme"), event(2, 5, "Derby", "programme")]
    assert [channel for channel, _, _ in found(*events, **settings)] == channels


def test_a_recorded_programme_is_one_event() -> None:
    events = [event(1, 5, "Derby"), event(1, 5, "Derby", "programme")]
    assert found(*events, titles=["Derby"]) == [(1, 5, "recording")]
