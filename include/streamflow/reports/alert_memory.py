"""The subjects that were reported, in Redis, so that each one is reported once until it changes."""

from __future__ import annotations

import logging
from collections.abc import Set

from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

KEY = "{streamflow}:alerts"


class RedisMemory:
    """Implements :class:`~streamflow.reports.alerts.Memory`.

    While Redis is away every subject counts as new: an alert twice is better than none.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def news(self, kind: str, holding: Set[str], over: Set[str]) -> tuple[Set[str], Set[str]]:
        """Remember and forget subjects; see the protocol."""
        held, ended = sorted(holding), sorted(over - holding)
        key = f"{KEY}:{kind}"
        try:
            # Each command reports whether it changed something, so two runs that end together report a subject once.
            with self._redis.pipeline() as pipeline:
                for subject in held:
                    pipeline.sadd(key, subject)
                for subject in ended:
                    pipeline.srem(key, subject)
                changed = pipeline.execute()
        except RedisError as error:
            log.warning("nobody knows which alerts were sent: %s", error)
            return holding, frozenset()
        new = {subject for subject, is_new in zip(held, changed, strict=False) if is_new}
        back = {subject for subject, was_there in zip(ended, changed[len(held) :], strict=True) if was_there}
        return new, back
