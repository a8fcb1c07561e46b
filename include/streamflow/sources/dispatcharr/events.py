"""Recordings and programmes in Dispatcharr, which are read before checks of their channels."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from streamflow.errors import UnknownRecord
from streamflow.records import Event
from streamflow.sources.dispatcharr.library import effective
from streamflow.sources.dispatcharr.session import Session

log = logging.getLogger(__name__)


def recordings(session: Session) -> Iterator[Event]:
    """Yield the scheduled recordings (``GET /api/channels/recordings/``).

    :raises SourceError: Dispatcharr cannot be read.
    """
    for raw in _optional(session, "/api/channels/recordings/"):
        program = (raw.get("custom_properties") or {}).get("program") or {}
        yield from _event("recording", raw.get("channel"), raw.get("start_time"), program.get("title"))


def programmes(session: Session) -> Iterator[Event]:
    """Yield the programmes of the next 24 hours (``GET /api/epg/grid/``).

    A channel names its guide by ``epg_data_id``. Programmes that Dispatcharr makes up for channels without a guide have
    the channel's UUID in place of a guide's id, so that no guide has them.

    :raises SourceError: Dispatcharr cannot be read.
    """
    guides = {one.get("id"): one.get("tvg_id") for one in _optional(session, "/api/epg/epgdata/")}
    channels: dict[str, list[Any]] = {}
    for channel in session.records("/api/channels/channels/"):
        if guide := guides.get(effective(channel, "epg_data_id")):
            channels.setdefault(guide, []).append(channel.get("id"))
    for raw in session.record("/api/epg/grid/").get("data") or ():
        for channel_id in channels.get(raw.get("tvg_id"), ()):
            yield from _event("programme", channel_id, raw.get("start_time"), raw.get("title"))


def _optional(session: Session, path: str) -> list[Any]:
    """Return a list; nothing for versions of Dispatcharr without it."""
    try:
        return [one for one in session.records(path) if isinstance(one, dict)]
    except UnknownRecord:
        return []


def _event(kind: str, channel_id: Any, start: Any, title: Any) -> Iterator[Event]:
    try:
        moment = datetime.fromisoformat(str(start))
        at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        yield Event.model_validate({"kind": kind, "channel_id": channel_id, "starts_at": at, "title": str(title or "")})
    except ValueError as error:
        log.warning("skipped a broken %s: %s", kind, error)
