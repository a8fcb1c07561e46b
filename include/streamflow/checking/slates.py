"""Slates that an account showed while it had connections to spare: these do not mean that it is full."""

from __future__ import annotations

import logging
import time
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

KEPT = 20
KEPT_SECONDS = 86_400


class RedisSlates:
    """The slates of each account in Redis, the latest 20 for a day: a :class:`~streamflow.checking.ports.SlateMemory`.

    A slate that cannot be read or kept costs one more try of a stream.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def known(self, account_id: int | None) -> tuple[bytes, ...]:
        """Return the latest slates of an account, oldest first; none while Redis is away."""
        try:
            return tuple(cast("list[bytes]", self._redis.zrange(_key(account_id), 0, -1)))
        except RedisError as error:
            log.warning("known slates cannot be read: %s", error)
            return ()

    def learn(self, account_id: int | None, slate: bytes) -> None:
        """Remember a slate of an account."""
        key = _key(account_id)
        try:
            with self._redis.pipeline() as pipeline:
                pipeline.zadd(key, {slate: time.time()})
                pipeline.zremrangebyrank(key, 0, -KEPT - 1)
                pipeline.expire(key, KEPT_SECONDS)
                pipeline.execute()
        except RedisError as error:
            log.warning("a slate cannot be kept: %s", error)


def _key(account_id: int | None) -> str:
    return f"{{streamflow}}:slates:{account_id}"
