"""Playbacks: Dispatcharr's events of watched channels become evidence about streams in the UDI."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from stream_checker.hooks.message import WebhookMessage
from streamflow import sources
from streamflow.errors import StreamFlowError
from streamflow.planning.playback import KEPT, Kind, PlaybackEvent, Watched, after
from streamflow.records import Playback
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

EVENTS_KEY = "{streamflow}:playback:events:"
# A sender's time that differs more is of a wrong clock.
MOST_SKEW = timedelta(seconds=60)


def observe(redis: Redis, store: Store, channel_ids: Sequence[int], kind: Kind, message: WebhookMessage) -> None:
    """Follow the playback of a channel by an event, and store what it proves about streams.

    Without Redis the event is lost, and the streams are checked as before.

    :param channel_ids: the channels that the event names; one that fits several names says nothing.
    """
    if len(channel_ids) != 1:
        return
    (channel_id,) = channel_ids
    try:
        playbacks = _followed(redis, store, channel_id, kind, message)
        if kind == "channel_stop":
            playbacks = [_measured(redis, playback) for playback in playbacks]
        if playbacks:
            store.results.add_playbacks(playbacks)
    except (StreamFlowError, RedisError) as error:
        log.warning("an event of channel %d is lost as evidence: %s", channel_id, error)


def _followed(redis: Redis, store: Store, channel_id: int, kind: Kind, message: WebhookMessage) -> list[Playback]:
    """Add an event to those of the channel, and return the playbacks that are new or changed by it."""
    key, arrived_at = f"{EVENTS_KEY}{channel_id}", datetime.now(UTC)

    found: list[Playback] = []

    def step(pipeline: Pipeline) -> None:
        text: Any = pipeline.get(key)
        watched = Watched.model_validate_json(text) if text else Watched(channel_id=channel_id)
        new, found[:] = after(watched, _event(store, kind, message, watched, arrived_at))
        pipeline.multi()
        pipeline.set(key, new.model_dump_json(), ex=KEPT)

    # The function is called again when another server has added an event meanwhile.
    redis.transaction(step, key)
    return found


def _event(store: Store, kind: Kind, message: WebhookMessage, watched: Watched, arrived_at: datetime) -> PlaybackEvent:
    """Return the event of a message, with the present URL of the stream that it is about."""
    sent_at = datetime.fromtimestamp(message.at, UTC) if message.at else arrived_at
    names_stream = kind in ("channel_start", "stream_switch")
    stream_id = message.stream_id if names_stream else watched.stream_id
    stream = store.library.stream(stream_id) if stream_id is not None else None
    return PlaybackEvent(
        kind=kind,
        at=sent_at if abs(sent_at - arrived_at) <= MOST_SKEW else arrived_at,
        stream_id=stream.id if stream and names_stream else None,
        url_hash=stream.url_hash if stream else "",
        runtime=message.runtime,
        total_bytes=message.total_bytes,
    )


def _measured(redis: Redis, playback: Playback) -> Playback:
    """Return a playback with the figures that Dispatcharr measured meanwhile, as far as it can be asked."""
    try:
        with sources.opened(redis=redis) as source:
            measured = source.played(playback.stream_id, playback.begun_at)
    except StreamFlowError as error:
        log.warning("the figures of stream %d in playback are unknown: %s", playback.stream_id, error)
        return playback
    return playback.model_copy(update=_figures(measured))


def _figures(measured: Mapping[str, object]) -> dict[str, object]:
    kinds = {"width": int, "height": int, "video_codec": str}
    return {name: measured[name] for name, kind in kinds.items() if isinstance(measured.get(name), kind)}
