"""The schedules of checks: when they are due in words and times, and whether Airflow follows them already."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from airflow.configuration import conf
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from pydantic import BaseModel, Field
from redis import Redis
from sqlalchemy import select

from stream_tasks.before_events import next_events
from stream_tasks.schedule import next_starts, window_of, zone_and_origin
from streamflow import names
from streamflow.config import CheckSchedule, Schedule
from streamflow.planning.cron_words import cron_words
from streamflow.planning.window import ZoneOrigin
from streamflow.records import Event
from streamflow.udi.ports import Library

SHOWN_STARTS = 3
# The file of the DAGs that the schedules are.
SCHEDULES_FILE = "check_schedules.py"


class ScheduledStart(BaseModel):
    """One start of a schedule, and the end of its window."""

    starts_at: datetime = Field(description="Start")
    until: datetime | None = Field(description="End of the window; null for an open end")


class CheckTimes(BaseModel):
    """When a schedule of checks is due."""

    name: str = Field(description="Name of the schedule", examples=["night"])
    dag_id: str = Field(description="Its DAG in Airflow", examples=["check_night"])
    words: str = Field(description="Its cron expression in words", examples=["Every night at 03:00"])
    starts: list[ScheduledStart] = Field(description="Next starts, at most three")
    paused: bool | None = Field(description="Whether its DAG is paused; null while Airflow has not loaded it")
    in_force: bool = Field(description="Whether Airflow starts it at these times already")


class NextEvent(BaseModel):
    """A recording or a programme before which its channel is checked."""

    kind: str = Field(description="`recording` or `programme`", examples=["recording"])
    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    channel: str = Field(description="Name of the channel", examples=["Das Erste"])
    title: str = Field(description="Title of the programme; empty when it is not known", examples=["Derby"])
    starts_at: datetime = Field(description="Start of the event")


class ScheduleTimes(BaseModel):
    """When checks start, and by which clock."""

    timezone: str = Field(description="Time zone of all schedules", examples=["Europe/Berlin"])
    timezone_from: ZoneOrigin = Field(
        description="Where it comes from: the `setting`, the `machine` (its variable `TZ`), the `source` "
        "(Dispatcharr), or none of them (`default`)"
    )
    effective_within: int = Field(description="Seconds until Airflow follows a changed schedule", examples=[120])
    paused: bool = Field(description="Whether the DAG of the checks is paused, so that no schedule starts a check")
    checks: list[CheckTimes] = Field(description="Schedules of checks in the order of the settings")
    leaving: list[str] = Field(description="Schedules that were removed, and that Airflow has not forgotten yet")
    events: list[NextEvent] = Field(
        description="Events of the next 24 hours before which channels are checked, as the last look found them"
    )


@dataclass(frozen=True)
class _LoadedDag:
    is_paused: bool
    cron: str
    next_start: datetime | None


def schedule_times(redis: Redis, library: Library, schedule: Schedule, now: datetime) -> ScheduleTimes:
    """Return when the checks of some schedules start."""
    zone, origin = zone_and_origin(redis, schedule)
    dags, former = _loaded_dags({names.schedule_dag(entry.name) for entry in schedule.checks})
    checks = []
    for entry in schedule.checks:
        due = next_starts(entry.cron, now, zone, SHOWN_STARTS)
        dag = dags.get(names.schedule_dag(entry.name))
        checks.append(
            CheckTimes(
                name=entry.name,
                dag_id=names.schedule_dag(entry.name),
                words=cron_words(entry.cron),
                starts=[ScheduledStart(starts_at=one, until=window_of(entry, one, zone).until) for one in due],
                paused=dag.is_paused if dag else None,
                in_force=dag is not None and _follows(dag, entry, due, now),
            )
        )
    checking = dags.get(names.CHECK_DAG)
    return ScheduleTimes(
        timezone=zone.key,
        timezone_from=origin,
        # One interval until the file is parsed, and as much for the scheduler, and the removal of old DAGs.
        effective_within=2 * conf.getint("dag_processor", "min_file_process_interval"),
        paused=checking is not None and checking.is_paused,
        checks=checks,
        leaving=former,
        events=_named(library, next_events(redis)),
    )


def _loaded_dags(scheduling: Collection[str]) -> tuple[Mapping[str, _LoadedDag], list[str]]:
    """Return the DAGs of schedules that Airflow has loaded, and the names of schedules that the settings lack."""
    is_schedule = DagModel.fileloc.endswith(f"/{SCHEDULES_FILE}", autoescape=True)
    with create_session(scoped=False) as session:
        rows = session.scalars(
            select(DagModel).where(~DagModel.is_stale, is_schedule | (DagModel.dag_id == names.CHECK_DAG))
        ).all()
    found = {
        row.dag_id: _LoadedDag(row.is_paused, row.timetable_summary or "", row.next_dagrun_create_after) for row in rows
    }
    former = found.keys() - scheduling - {names.CHECK_DAG}
    return found, sorted(dag_id.removeprefix(names.schedule_dag("")) for dag_id in former)


def _follows(dag: _LoadedDag, entry: CheckSchedule, due: list[datetime], now: datetime) -> bool:
    """Return whether a DAG has the times of a schedule; a start that is past tells nothing about the time zone."""
    if dag.cron != entry.cron:
        return False
    return dag.next_start is None or dag.next_start <= now or due[:1] == [dag.next_start]


def _named(library: Library, events: list[Event]) -> list[NextEvent]:
    channels = {one.id: one.name for one in library.channels({event.channel_id for event in events})} if events else {}
    return [
        NextEvent(channel=channels[one.channel_id], **one.model_dump()) for one in events if one.channel_id in channels
    ]
