"""The events before which channels are checked. Pure: events, settings and a time in, events out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from streamflow.config import BeforeEvents
from streamflow.policies.patterns import matches
from streamflow.records import Channel, Event


def upcoming(
    events: Iterable[Event],
    settings: BeforeEvents,
    channels: Mapping[int, Channel],
    group_names: Mapping[int, str],
    now: datetime,
    within: timedelta,
) -> list[Event]:
    """Return the events before which their channel is checked, the next one first.

    A recording and a programme of one channel with the same start are one event.

    :param within: the longest time from now to the start of an event.
    """
    latest = now + within
    found: dict[tuple[datetime, int], Event] = {}
    for event in events:
        channel = channels.get(event.channel_id)
        if channel and now < event.starts_at <= latest and _is_wanted(event, settings, channel, group_names):
            found.setdefault((event.starts_at, event.channel_id), event)
    return [found[key] for key in sorted(found)]


def _is_wanted(event: Event, settings: BeforeEvents, channel: Channel, group_names: Mapping[int, str]) -> bool:
    if event.kind == "recording":
        return settings.recordings
    if not any(matches(title, None, event.title) for title in settings.titles):
        return False
    group = channel.group_id
    name = group_names.get(group) if group is not None else None
    return settings.groups is None or any(matches(pattern, group, name) for pattern in settings.groups)
