"""The window of a run: the time at which it closes, and the viewers that pause it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from streamflow.config import Schedule

# The setting ``schedule.timezone``, the variable ``TZ``, Dispatcharr's settings, or none of them.
ZoneOrigin = Literal["setting", "machine", "source", "default"]
# The least pause of a check while people watch, and the further seconds for each check that waits: together they wake
# at most two checks a second.
LEAST_PAUSE = 60.0
PAUSE_PER_CHECK = 0.5


class Window(BaseModel):
    """The window of a chain of runs; None sets no bound.

    :param until: from this moment on no check starts.
    :param viewers_below: checks start only while fewer viewers watch.
    """

    model_config = ConfigDict(frozen=True)

    until: datetime | None = None
    viewers_below: int | None = Field(None, ge=1)

    def is_closed(self, now: datetime) -> bool:
        """Return whether no check may start any more."""
        return self.until is not None and now >= self.until

    def pause(self, viewers: int, waiting: int) -> float:
        """Return the seconds for which a check must pause; 0 when it may start.

        :param waiting: the checks of the run that have no result yet.
        """
        if self.viewers_below is None or viewers < self.viewers_below:
            return 0.0
        return max(LEAST_PAUSE, PAUSE_PER_CHECK * waiting)


def closes_at(start: datetime, until: time, zone: ZoneInfo) -> datetime:
    """Return the first moment after a start at which the wall clock of a zone shows a time.

    A time that a change of daylight saving skips counts as the moment after the gap; one that occurs twice closes the
    window at its first occurrence, unless that is over.
    """
    local = start.astimezone(zone)
    for days in (0, 1):
        for fold in (0, 1):
            moment = datetime.combine(local.date() + timedelta(days=days), until, zone).replace(fold=fold)
            if (closing := moment.astimezone(UTC)) > start:
                return closing
    raise AssertionError("a day ends within a day")


def time_zone(schedule: Schedule, env: Mapping[str, str], of_source: str | None = None) -> ZoneInfo:
    """Return the zone of the schedules: the setting's, or else the machine's ``TZ``, or the source's, or UTC.

    :param of_source: the zone in Dispatcharr's settings, where it is known.
    """
    return time_zone_and_origin(schedule, env, of_source)[0]


def time_zone_and_origin(
    schedule: Schedule, env: Mapping[str, str], of_source: str | None = None
) -> tuple[ZoneInfo, ZoneOrigin]:
    """Return the zone of the schedules, and where it comes from; see :func:`time_zone`."""
    choices: tuple[tuple[ZoneOrigin, str | None], ...] = (
        ("setting", schedule.timezone), ("machine", env.get("TZ", "").removeprefix(":")), ("source", of_source),
    )  # fmt: skip
    for origin, name in choices:
        try:
            if name:
                return ZoneInfo(name), origin
        except (KeyError, ValueError, OSError):
            # The environment and the source may name a zone in a form that only they know.
            continue
    return ZoneInfo("UTC"), "default"
