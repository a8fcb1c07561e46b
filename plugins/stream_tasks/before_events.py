"""The checks of channels before recordings and programmes: one run for each event, before it starts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pydantic import TypeAdapter
from redis import Redis
from redis.exceptions import RedisError

from account_limiter import Limiter
from stream_tasks import resources
from stream_tasks.limits import believed_limits
from streamflow import names, shared_settings, sources
from streamflow.config import BeforeEvents, Config
from streamflow.planning.estimate import estimate
from streamflow.planning.events import upcoming
from streamflow.planning.params import CheckParams
from streamflow.planning.plan import Request
from streamflow.records import Event
from streamflow.reports.late_events import LateEvent, LateEvents
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

# Minutes between two looks for events.
EVERY_MINUTES = 5
_TOLD_SECONDS = 2 * 86_400
# The events of the next day as the last look found them, for the page. They lapse when nobody looks any more.
NEXT_EVENTS_KEY = "{streamflow}:next_events"
SHOWN_WITHIN = timedelta(hours=24)
MAX_SHOWN = 200
_SHOWN_SECONDS = 3 * EVERY_MINUTES * 60
_EVENTS = TypeAdapter(list[Event])


def cron(settings: BeforeEvents) -> str | None:
    """Return how often events are looked for; None when no check is wanted before them."""
    if not settings.minutes or not (settings.recordings or settings.titles):
        return None
    return f"*/{min(EVERY_MINUTES, settings.minutes)} * * * *"


def runs() -> list[dict[str, Any]]:
    """Return id and conf of the run for each event that starts soon.

    The id derives from the event, so that Airflow starts it once. An event that starts before its channel can be
    checked is not checked; the log and the overview tell it once.

    :raises SourceError: the source cannot be read.
    """
    with resources.redis() as redis:
        settings, store = shared_settings.load(redis), resources.udi(redis)
        now, started = datetime.now(UTC), []
        events = _upcoming(redis, store, settings, now)
        _show(redis, events)
        latest = now + timedelta(minutes=settings.schedule.before_events.minutes)
        for event in events:
            if event.starts_at > latest:
                break
            run_id = f"{names.EVENT_RUN}{event.channel_id}__{event.starts_at.isoformat(timespec='seconds')}"
            window = {"until": event.starts_at.isoformat()}
            conf = {"channel_ids": [event.channel_id], "force": True, "window": window}
            if _is_claimed(redis, run_id):
                continue
            params = CheckParams.model_validate(conf)
            expected = estimate(store, settings, Request(run_id, params, now), believed_limits(Limiter(redis)))
            if expected.fits:
                started.append({"trigger_run_id": run_id, "conf": conf})
            else:
                LateEvents(redis).add(LateEvent(event=event, found_at=now, seconds=expected.seconds))
                left = (event.starts_at - now) / timedelta(seconds=1)
                log.warning(
                    "too late for %s %r of channel %d: it starts in %.0f s, and the check takes %.0f s",
                    event.kind, event.title, event.channel_id, left, expected.seconds,
                )  # fmt: skip
    return started


def _upcoming(redis: Redis, store: Store, settings: Config, now: datetime) -> list[Event]:
    wanted = settings.schedule.before_events
    with sources.opened(redis=redis) as source:
        events = source.events(with_programmes=bool(wanted.titles))
    channels = {channel.id: channel for channel in store.library.channels({event.channel_id for event in events})}
    group_names = {group.id: group.name for group in store.library.groups()}
    return upcoming(events, wanted, channels, group_names, now, SHOWN_WITHIN)


def next_events(redis: Redis) -> list[Event]:
    """Return the next events before which channels are checked, as the last look found them; empty without Redis."""
    try:
        stored = cast("bytes | None", redis.get(NEXT_EVENTS_KEY))
    except RedisError as error:
        log.warning("the next events cannot be read: %s", error)
        return []
    return _EVENTS.validate_json(stored) if stored else []


def _show(redis: Redis, events: Sequence[Event]) -> None:
    try:
        redis.set(NEXT_EVENTS_KEY, _EVENTS.dump_json(list(events[:MAX_SHOWN])), ex=_SHOWN_SECONDS)
    except RedisError as error:
        log.warning("the next events cannot be stored: %s", error)


def _is_claimed(redis: Redis, run_id: str) -> bool:
    """Return whether an earlier call has dealt with the event. Without Redis, Airflow knows the run's id."""
    try:
        return not redis.set(f"{{streamflow}}:events:{run_id}", "1", nx=True, ex=_TOLD_SECONDS)
    except RedisError as error:
        log.warning("the events that were checked cannot be read: %s", error)
        return False
