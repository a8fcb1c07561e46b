"""The schedules of the DAGs, and the runs that they start."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from typing import Any, cast
from zoneinfo import ZoneInfo

from airflow.sdk import timezone as airflow_time
from airflow.timetables.base import TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
from redis import Redis
from redis.exceptions import RedisError

from stream_tasks import resources
from stream_tasks.limits import viewers_now
from streamflow import names, shared_settings
from streamflow.config import CheckSchedule, Schedule
from streamflow.planning.window import Window, ZoneOrigin, closes_at, time_zone_and_origin
from streamflow.policies.patterns import matches
from streamflow.udi.ports import Library

log = logging.getLogger(__name__)

# The time zone in the source's settings, as the last refresh found it.
ZONE_KEY = "{streamflow}:timezone"


def schedules() -> tuple[Schedule, ZoneInfo]:
    """Return the schedules in force, and their time zone.

    The DAG files call it at each parse, so that a change needs no restart.
    """
    with resources.redis() as redis:
        schedule = shared_settings.load(redis).schedule
        return schedule, zone_of(redis, schedule)


def timetable(cron: str, zone: ZoneInfo) -> CronTriggerTimetable:
    """Return the timetable of a cron expression by the wall clock of a time zone."""
    return CronTriggerTimetable(cron, timezone=zone.key)


def zone_of(redis: Redis, schedule: Schedule) -> ZoneInfo:
    """Return the time zone of the schedules."""
    return zone_and_origin(redis, schedule)[0]


def zone_and_origin(redis: Redis, schedule: Schedule) -> tuple[ZoneInfo, ZoneOrigin]:
    """Return the time zone of the schedules, and where it comes from."""
    try:
        of_source = cast("bytes | None", redis.get(ZONE_KEY)) if schedule.timezone is None else None
    except RedisError as error:
        log.warning("the source's time zone is unknown: %s", error)
        of_source = None
    return time_zone_and_origin(schedule, os.environ, of_source.decode() if of_source else None)


def may_start(name: str, planned_at: datetime) -> bool:
    """Return whether a schedule need not wait: few enough people watch, or its window has closed.

    :param planned_at: the time at which the schedule was due.
    """
    with resources.redis() as redis:
        schedule = shared_settings.load(redis).schedule
        entry = entry_of(schedule, name)
        if entry is None or entry.only_if_viewers_below is None:
            return True
        window = window_of(entry, planned_at, zone_of(redis, schedule))
        viewers = viewers_now(redis)
    log.info("%d viewers watch; the schedule starts below %d", viewers, entry.only_if_viewers_below)
    return viewers < entry.only_if_viewers_below or window.is_closed(datetime.now(UTC))


def runs(name: str, planned_at: datetime) -> list[dict[str, Any]]:
    """Return id and conf of the run that a schedule starts, in a list; empty when there is nothing to start.

    :param planned_at: the time at which the schedule was due. The id derives from it, so that no run starts twice.
    """
    with resources.redis() as redis:
        schedule = shared_settings.load(redis).schedule
        entry = entry_of(schedule, name)
        if entry is None:
            log.warning("the schedule %s was removed from the settings", name)
            return []
        zone = zone_of(redis, schedule)
        conf = selection(resources.udi(redis).library, entry)
    window = window_of(entry, planned_at, zone)
    if window.is_closed(datetime.now(UTC)):
        log.warning("nothing starts: the window closed at %s", window.until)
        return []
    run_id = f"{names.SCHEDULED_RUN}{name}__{planned_at.astimezone(zone).isoformat(timespec='seconds')}"
    return [
        {"trigger_run_id": run_id, "conf": {**conf, "force": entry.force, "window": window.model_dump(mode="json")}}
    ]


def selection(library: Library, entry: CheckSchedule) -> dict[str, list[int] | None]:
    """Return the ids that a schedule selects now, by the parameters of a run; None where it has no such filter."""
    return {
        "channel_ids": _ids(
            entry.channels, ((one.id, one.name) for one in library.channels()) if entry.channels else ()
        ),
        "group_ids": _ids(entry.groups, ((one.id, one.name) for one in library.groups())),
        "account_ids": _ids(entry.accounts, ((one.id, one.name) for one in library.accounts())),
    }


def _ids(patterns: Sequence[int | str] | None, records: Iterable[tuple[int, str]]) -> list[int] | None:
    if patterns is None:
        return None
    ids = [id for id, name in records if any(matches(pattern, id, name) for pattern in patterns)]
    if not ids:
        log.error("no record fits %s: nothing is checked", ", ".join(map(repr, patterns)))
    return ids


def entry_of(schedule: Schedule, name: str) -> CheckSchedule | None:
    """Return a schedule by its name; None when the settings have none of this name."""
    return next((entry for entry in schedule.checks if entry.name == name), None)


def next_starts(cron: str, after: datetime, zone: ZoneInfo, count: int) -> list[datetime]:
    """Return the next times at which Airflow starts a schedule, in UTC; fewer when the expression has no more."""
    starts: list[datetime] = []
    due, interval = timetable(cron, zone), None
    restriction = TimeRestriction(earliest=airflow_time.coerce_datetime(after), latest=None, catchup=True)
    while len(starts) < count:
        info = due.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction)
        if info is None:
            break
        # Airflow's own type of times drops the time zone of the standard library in a sum.
        starts.append(datetime.fromtimestamp(info.run_after.timestamp(), UTC))
        interval = info.data_interval
    return starts


def window_of(entry: CheckSchedule, planned_at: datetime, zone: ZoneInfo) -> Window:
    """Return the window of a schedule that is due at a time."""
    until = closes_at(planned_at, time.fromisoformat(entry.until), zone) if entry.until else None
    return Window(until=until, viewers_below=entry.only_if_viewers_below)
