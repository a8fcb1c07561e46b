"""``/schedules``: when checks start, and when they would start by other schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body

from stream_checker.http.access import Editor, Reader
from stream_checker.http.problems import responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.schedules import ScheduleTimes, schedule_times
from stream_checker.resources import OpenRedis, OpenStore
from stream_checker.routes.stored_settings import with_section
from streamflow import shared_settings

router = APIRouter(prefix="/schedules", tags=["checks"])

EXAMPLE = {"timezone": "Europe/Berlin", "checks": [{"name": "night", "cron": "0 3 * * *", "until": "06:30"}]}


@router.get("", dependencies=[Reader], responses=responses(401, 403, 503))
def list_schedules(store: OpenStore, redis: OpenRedis) -> ScheduleTimes:
    """Return the next starts of all schedules, and whether Airflow follows them already."""
    return schedule_times(redis, store.library, shared_settings.load(redis).schedule, datetime.now(UTC))


@router.post("/preview", dependencies=[Editor, at_most(4)], responses=responses(401, 403, 413, 422, 429, 503))
def preview_schedules(
    value: Annotated[Any, Body(description="The fields of the section `schedule` to change", examples=[EXAMPLE])],
    store: OpenStore,
    redis: OpenRedis,
) -> ScheduleTimes:
    """Return the next starts of proposed schedules. Nothing is stored.

    The errors are those of a change of the settings.
    """
    proposed = with_section(shared_settings.load(redis), "schedule", value).schedule
    return schedule_times(redis, store.library, proposed, datetime.now(UTC))
