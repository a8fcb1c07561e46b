"""Late events: recordings and programmes that started before their channel could be checked."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import cast

from pydantic import Field
from redis import Redis
from redis.exceptions import RedisError

from streamflow.records import Event
from streamflow.records.record import Record

log = logging.getLogger(__name__)

KEY = "{streamflow}:events:late"
KEPT = timedelta(hours=24)
MOST = 50


class LateEvent(Record):
    """An event whose check would have ended after its start, so that it was not begun."""

    event: Event = Field(description="The recording or programme")
    found_at: datetime = Field(description="Time at which it was found")
    seconds: float = Field(description="Time that the check would have taken, in seconds")


class LateEvents:
    """The late events of the last 24 hours in Redis, where nobody misses them once it is gone."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, late: LateEvent) -> None:
        """Store a late event."""
        try:
            with self._redis.pipeline() as pipeline:
                pipeline.lpush(KEY, late.model_dump_json())
                pipeline.ltrim(KEY, 0, MOST - 1)
                pipeline.expire(KEY, KEPT)
                pipeline.execute()
        except RedisError as error:
            log.warning("a late event is only in this log: %s", error)

    def recent(self) -> list[LateEvent]:
        """Return the late events of the last 24 hours, newest first; none while Redis is away."""
        try:
            texts = cast("list[bytes]", self._redis.lrange(KEY, 0, -1))
        except RedisError as error:
            log.warning("the late events cannot be read: %s", error)
            return []
        since = datetime.now(UTC) - KEPT
        return [late for late in map(LateEvent.model_validate_json, texts) if late.found_at >= since]
