"""Schedules: their DAGs follow the settings, and start runs with the ids, the window and the viewers of the moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk import timezone
from airflow.timetables.base import TimeRestriction
from redis import Redis

from lab import Account, Channel, Group, Lab, Library, Media, Stream, running
from stream_tasks import schedule
from stream_tasks.refresh import refresh
from streamflow import config
from streamflow.planning.window import time_zone

FOLDER = Path(__file__).parents[2] / "dags"
LIBRARY = Library(
    [Account(1, "North", "north", "secret-n", max_streams=2), Account(2, "South", "south", "secret-s")],
    [Stream(1, "One", 1, clip="hd25_2m"), Stream(2, "Two", 2, clip="hd25_2m")],
    [Channel(1, 1.0, "Das Erste", 10, (1,)), Channel(2, 2.0, "Sport 1", 11, (2,))],
    [Group(10, "News"), Group(11, "UK | Sports")],
)
NIGHT = datetime(2026, 1, 2, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def provider(lab_media: Media) -> Iterator[Lab]:
    with running(LIBRARY, lab_media) as lab:
        yield lab


@pytest.fixture
def home(task_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("TZ", raising=False)
    return task_home


def set_schedule(**fields: Any) -> None:
    config.save(config.Config.model_validate({"schedule": fields}))


def entry(name: str = "night", **fields: Any) -> dict[str, Any]:
    return {"name": name, "cron": "0 3 * * *", **fields}


def dags() -> dict[str, Any]:
    """Parse the DAGs of the schedules as the DAG processor does."""
    path = FOLDER / "check_schedules.py"
    bag = BundleDagBag(dag_folder=path, safe_mode=False, bundle_path=FOLDER, bundle_name="dags-folder")
    assert bag.import_errors == {}
    return dict(bag.dags)


def test_the_dags_follow_the_settings_without_a_restart(home: Path) -> None:
    assert "check_night" in dags()
    set_schedule(timezone="Europe/Berlin", checks=[entry("weekend", cron="0 5 * * 6,0"), entry("noon")])
    parsed = dags()
    assert {"check_weekend", "check_noon"} <= set(parsed)
    assert "check_night" not in parsed
    timetable = parsed["check_weekend"].timetable
    assert (timetable.summary, str(timetable._timezone)) == ("0 5 * * 6,0", "Europe/Berlin")
    set_schedule(checks=[])
    assert not {"check_night", "check_weekend", "check_noon"} & set(dags())


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("cron", ["0 3 * * *", "30 2 * * *", "30 1 * * *"])
def test_a_nightly_schedule_starts_once_a_day_over_a_whole_year(zone: str, cron: str) -> None:
    timetable = schedule.timetable(cron, time_zone(config.Schedule(timezone=zone), {}))
    last, days = None, Counter[date]()
    minute, hour = map(int, cron.split()[:2])
    while True:
        info = timetable.next_dagrun_info(
            last_automated_data_interval=last,
            restriction=TimeRestriction(earliest=timezone.datetime(2026, 1, 1), latest=None, catchup=True),
        )
        assert info
        local = info.run_after.astimezone(ZoneInfo(zone))
        if local.year > 2026:
            break
        days[local.date()] += 1
        late = timedelta(hours=local.hour - hour, minutes=local.minute - minute)
        changes = local.utcoffset() != (info.run_after - timedelta(hours=2)).astimezone(ZoneInfo(zone)).utcoffset()
        # A time that the change of daylight saving skips counts after the gap.
        assert late == timedelta(0) or (changes and late <= timedelta(hours=1))
        last = info.data_interval
    assert len(days) >= 364
    assert set(days.values()) == {1}


@pytest.mark.parametrize("after", [datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)])
def test_the_next_starts_are_those_of_the_clock_over_a_change_of_daylight_saving(after: datetime) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    starts = schedule.next_starts("0 3 * * *", after, berlin, 3)
    assert [f"{one.astimezone(berlin):%d %H:%M}" for one in starts] == [
        f"{after.day + days} 03:00" for days in (1, 2, 3)
    ]
    # Sums keep the time zone, so that an end can be compared with the end of a window.
    assert all(type(one) is datetime and (one + timedelta(1)).tzinfo is UTC for one in starts)


def test_an_entry_starts_one_run_with_its_selection_and_window(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh()
    now = datetime.now(UTC)
    set_schedule(
        timezone="Europe/Berlin",
        checks=[entry(groups=["UK | *"], accounts=["North", 2], force=True, until="06:00", only_if_viewers_below=3)],
    )
    (run,) = schedule.runs("night", now)
    assert run["trigger_run_id"].startswith("schedule__night__")
    assert run == schedule.runs("night", now)[0]
    conf = run["conf"]
    assert (conf["channel_ids"], conf["group_ids"], conf["account_ids"]) == (None, [11], [1, 2])
    assert (conf["force"], conf["window"]["viewers_below"]) == (True, 3)
    until = datetime.fromisoformat(conf["window"]["until"]).astimezone(ZoneInfo("Europe/Berlin"))
    assert f"{until:%H:%M}" == "06:00"


def test_a_pattern_that_fits_nothing_selects_nothing(home: Path) -> None:
    refresh()
    set_schedule(checks=[entry(channels=["Das Zweite"])])
    (run,) = schedule.runs("night", datetime.now(UTC))
    assert run["conf"]["channel_ids"] == []


def test_a_late_schedule_starts_nothing_after_its_window(home: Path) -> None:
    set_schedule(checks=[entry(until="06:00", only_if_viewers_below=1)])
    assert schedule.runs("night", NIGHT) == []
    assert schedule.may_start("night", NIGHT)


def test_a_removed_entry_starts_nothing(home: Path) -> None:
    set_schedule(checks=[])
    assert schedule.runs("night", NIGHT) == []
    assert schedule.may_start("night", NIGHT)


def test_people_who_watch_hold_back_the_start(home: Path, provider: Lab, redis_client: Redis) -> None:
    refresh()
    set_schedule(checks=[entry(only_if_viewers_below=1)])
    watch(provider, 10)
    assert not schedule.may_start("night", datetime.now(UTC))
    watch(provider)
    redis_client.delete("{streamflow}:viewers:total")
    assert schedule.may_start("night", datetime.now(UTC))


def watch(provider: Lab, *profiles: int) -> None:
    viewers = [{"m3u_profile_id": profile} for profile in profiles]
    httpx.post(f"{provider.dispatcharr}/lab/viewers", json={"channels": viewers}).raise_for_status()


def test_the_time_zone_of_dispatcharr_counts_when_no_other_is_set(
    home: Path, provider: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert schedule.schedules()[1].key == "UTC"
    zone = {"key": "system_settings", "value": {"time_zone": "America/New_York"}}
    monkeypatch.setattr(provider.servers.dispatcharr.state, "settings", [zone])
    refresh()
    assert schedule.schedules()[1].key == "America/New_York"
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert schedule.schedules()[1].key == "Europe/Berlin"
