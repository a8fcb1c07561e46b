"""The refresh: from the source into the UDI, and its limits into the limiter."""

from __future__ import annotations

import logging
from typing import Any

from redis import Redis

from account_limiter import LimiterUnavailable
from stream_tasks import rooms
from stream_tasks.limits import push_limits
from stream_tasks.panels import ask_panels
from streamflow import config, sources
from streamflow.udi import Udi

log = logging.getLogger(__name__)


def refresh(*, force: bool = False) -> dict[str, Any]:
    """Bring the library in; answers what was added, changed and removed. Raises SourceError."""
    with rooms.redis() as redis:
        store = rooms.udi(redis)
        report = bring_in(redis, store, force=force)
        try:
            ask_panels(redis, store, config.load())
        except LimiterUnavailable as error:
            log.warning("no panel was asked: %s", error)
        return report


def bring_in(redis: Redis, store: Udi, *, force: bool = False) -> dict[str, Any]:
    """Fetch, publish and let the limiter know the accounts."""
    with sources.opened() as source:
        snapshot = source.fetch()
        destination = source.destination(store)
    report = store.publish(snapshot, force=force, over=destination.arranged)
    for record, why in report.broken:
        log.warning("skipped a broken record: %s: %s", record, why)
    push_limits(redis, store, config.load())
    return report.model_dump(mode="json")
