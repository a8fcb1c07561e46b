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


def known(redis: Redis, account_id: int | None) -> tuple[bytes, ...]:
    """The account's latest slates; none where Redis cannot tell."""
    try:
        return tuple(cast("list[bytes]", redis.zrange(_key(account_id), 0, -1)))
    except RedisError as error:
        log.warning("known slates cannot be read: %s", error)
        return ()


def learn(redis: Redis, account_id: int | None, slate: bytes) -> None:
    """Remember a slate; one that cannot be kept is only asked for once more."""
    key = _key(account_id)
    try:
        with redis.pipeline() as pipeline:
            pipeline.zadd(key, {slate: time.time()})
            pipeline.zremrangebyrank(key, 0, -KEPT - 1)
            pipeline.expire(key, KEPT_SECONDS)
            pipeline.execute()
    except RedisError as error:
        log.warning("a slate cannot be kept: %s", error)


def _key(account_id: int | None) -> str:
    return f"{{streamflow}}:slates:{account_id}"
