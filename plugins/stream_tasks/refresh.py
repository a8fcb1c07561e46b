"""The refresh: from the source into the UDI, and the accounts' limits into the limiter."""

from __future__ import annotations

import logging
import os
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from account_limiter import Limiter, LimiterUnavailable
from stream_tasks import resources
from stream_tasks.limits import configure
from stream_tasks.panels import ask_panels
from stream_tasks.schedule import ZONE_KEY
from streamflow import config, faults, names, shared_settings, sources
from streamflow.errors import SourceError
from streamflow.lineup.decisions import note_edits
from streamflow.sources.first_look import forget_fault, hint
from streamflow.sources.source import Source
from streamflow.udi import Udi

log = logging.getLogger(__name__)


def refresh(*, force: bool = False) -> dict[str, Any]:
    """Refresh the UDI, and return how many records of each kind were added, changed and removed.

    :param force: accept a library that has lost most of its streams.
    :raises SourceError: when the source cannot be read.
    """
    with resources.redis() as redis:
        store = resources.udi(redis)
        with faults.noted(redis, names.REFRESH_DAG, hint(os.environ)):
            report = bring_in(redis, store, force=force)
        try:
            ask_panels(redis, store, shared_settings.load(redis))
        except LimiterUnavailable as error:
            log.warning("no panel was asked: %s", error)
        return report


def bring_in(redis: Redis, store: Udi, *, force: bool = False) -> dict[str, Any]:
    """Read the source, publish its library in the UDI, and configure the limiter with its accounts."""
    former = store.library.channels()
    with sources.opened(redis=redis) as source:
        snapshot = source.fetch()
        destination = source.destination(store)
        _keep_time_zone(redis, source)
    forget_fault(config.home())
    report = store.publish(snapshot, force=force, over=destination.arranged)
    if isinstance(destination, sources.ChannelEditor):
        # Nobody else edits the channels of the other sources.
        note_edits(store, former, {channel.id: channel.stream_ids for channel in store.library.channels()})
    for record, why in report.broken:
        log.warning("skipped a broken record: %s: %s", record, why)
    configure(Limiter(redis), store, shared_settings.load(redis))
    return report.model_dump(mode="json")


def _keep_time_zone(redis: Redis, source: Source) -> None:
    """Keep the source's time zone for the schedules; without an answer the last one holds."""
    try:
        if zone := source.time_zone():
            redis.set(ZONE_KEY, zone)
    except (SourceError, RedisError) as error:
        log.warning("the source's time zone is unknown: %s", error)
