"""A Redis client as the contract's environment names it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0


def from_env(env: Mapping[str, str] = os.environ) -> Redis | None:
    """A pooled client with timeouts and one repetition, or None where ``REDIS_HOST`` names none."""
    host = env.get("REDIS_HOST")
    if not host:
        return None
    return Redis(
        host=host,
        port=int(env.get("REDIS_PORT") or 6379),
        db=int(env.get("REDIS_DB") or 0),
        password=env.get("REDIS_PASSWORD") or None,
        ssl=(env.get("REDIS_SSL") or "").lower() in ("1", "true", "yes", "on"),
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=READ_SECONDS,
        # A time-out is not repeated: whoever waits has waited long enough.
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.1), 1, supported_errors=(ConnectionError,)),
    )
