"""The providers that could not be refreshed, for the page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

KEY = "{streamflow}:matching:failures"


def remember(redis: Redis, failures: Mapping[int, str]) -> None:
    """Replace the failures by those of the last refresh, each with its reason. While Redis is away nothing is kept."""
    try:
        with redis.pipeline() as batch:
            batch.delete(KEY)
            if failures:
                batch.hset(KEY, mapping={str(account): reason for account, reason in failures.items()})
            batch.execute()
    except RedisError as error:
        log.warning("the failures of providers cannot be kept: %s", error)


def present(redis: Redis) -> dict[int, str]:
    """Return the failures of the last refresh by account; nothing while Redis is away."""
    try:
        stored = cast("dict[bytes, bytes]", redis.hgetall(KEY))
    except RedisError as error:
        log.warning("the failures of providers are unknown: %s", error)
        return {}
    return {int(account): reason.decode() for account, reason in stored.items()}
