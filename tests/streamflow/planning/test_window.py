"""Windows close by the wall clock, also over a change of daylight saving, and viewers pause the checks in them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.config import Schedule
from streamflow.planning.window import Window, closes_at, time_zone

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]


@pytest.mark.parametrize(
    ("zone", "start", "until", "closing"),
    [
        ("Europe/Berlin", "2026-01-10T03:00+01:00", "06:00", "2026-01-10T06:00+01:00"),
        ("Europe/Berlin", "2026-01-10T23:00+01:00", "06:00", "2026-01-11T06:00+01:00"),
        ("Europe/Berlin", "2026-01-10T06:00+01:00", "06:00", "2026-01-11T06:00+01:00"),
        # The hour from 2:00 is skipped on 29 March, and occurs twice on 25 October.
        ("Europe/Berlin", "2026-03-29T01:00+01:00", "06:00", "2026-03-29T06:00+02:00"),
        ("Europe/Berlin", "2026-03-29T01:00+01:00", "02:30", "2026-03-29T03:30+02:00"),
        ("Europe/Berlin", "2026-10-25T01:00+02:00", "02:30", "2026-10-25T02:30+02:00"),
        ("Europe/Berlin", "2026-10-25T02:45+02:00", "02:30", "2026-10-25T02:30+01:00"),
        ("Europe/Berlin", "2026-10-24T23:00+02:00", "06:00", "2026-10-25T06:00+01:00"),
        ("America/New_York", "2026-11-01T01:00-04:00", "06:00", "2026-11-01T06:00-05:00"),
    ],
)
def test_a_window_closes_at_the_next_time_of_the_wall_clock(zone: str, start: str, until: str, closing: str) -> None:
    found = closes_at(datetime.fromisoformat(start), time.fromisoformat(until), ZoneInfo(zone))
    assert found == datetime.fromisoformat(closing)


@given(
    start=st.integers(0, 366 * 24 * 60).map(lambda minute: NEW_YEAR + timedelta(minutes=minute)),
    until=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    zone=st.sampled_from(ZONES),
)
def test_a_window_closes_after_its_start_and_within_a_day(start: datetime, until: time, zone: str) -> None:
    closing = closes_at(start, until, ZoneInfo(zone))
    assert timedelta(0) < closing - start <= timedelta(hours=25)
    local = closing.astimezone(ZoneInfo(zone))
    shown = datetime.combine(local.date(), until)
    # A skipped time closes the window after the gap, which is at most an hour long.
    assert timedelta(0) <= local.replace(tzinfo=None) - shown <= timedelta(hours=1)


def test_a_window_without_an_end_never_closes() -> None:
    now = NEW_YEAR
    assert not Window().is_closed(now)
    assert Window(until=now).is_closed(now)
    assert not Window(until=now + timedelta(seconds=1)).is_closed(now)


@pytest.mark.parametrize(
    ("below", "viewers", "waiting", "pause"), [(None, 9, 9, 0), (2, 1, 9, 0), (2, 2, 9, 60), (2, 5, 500, 250)]
)
def test_viewers_pause_checks_and_many_checks_pause_longer(
    below: int | None, viewers: int, waiting: int, pause: float
) -> None:
    assert Window(viewers_below=below).pause(viewers, waiting) == pause


@pytest.mark.parametrize(
    ("setting", "env", "of_source", "zone"),
    [
        ("Europe/Paris", {"TZ": "Europe/Berlin"}, "Asia/Tokyo", "Europe/Paris"),
        (None, {"TZ": "Europe/Berlin"}, "Asia/Tokyo", "Europe/Berlin"),
        (None, {"TZ": ":Europe/Berlin"}, None, "Europe/Berlin"),
        (None, {"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}, "Asia/Tokyo", "Asia/Tokyo"),
        (None, {"TZ": "/etc/localtime"}, None, "UTC"),
        (None, {}, None, "UTC"),
    ],
)
def test_the_time_zone_is_the_first_that_is_known(
    setting: str | None, env: dict[str, str], of_source: str | None, zone: str
) -> None:
    assert time_zone(Schedule(timezone=setting), env, of_source).key == zone
