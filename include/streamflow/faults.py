"""The reasons of failed refreshes and plans, in Redis: pages show them, so that nobody has to search a task's log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from streamflow.masking import mask
from streamflow.records.text import SENTENCE_LENGTH, cut

log = logging.getLogger(__name__)

KEY = "{streamflow}:fault:"
KEPT_SECONDS = 30 * 24 * 3600


@contextmanager
def noted(redis: Redis, subject: str, hint: str = "") -> Iterator[None]:
    """Keep the reason when the block fails, and forget the former one when it succeeds.

    :param subject: the DAG or the run that fails.
    :param hint: added to the reason.
    """
    try:
        yield
    except Exception as error:
        reason = mask(str(error)) or type(error).__name__
        _write(redis, subject, cut(f"{reason}{hint}", SENTENCE_LENGTH))
        raise
    _write(redis, subject, None)


def reason_of(redis: Redis, subject: str) -> str | None:
    """Return the reason of the last failure; None when there is none, or while Redis is away."""
    try:
        reason = cast("bytes | None", redis.get(f"{KEY}{subject}"))
    except RedisError:
        return None
    return reason.decode() if reason else None


def _write(redis: Redis, subject: str, reason: str | None) -> None:
    try:
        if reason is None:
            redis.delete(f"{KEY}{subject}")
        else:
            redis.set(f"{KEY}{subject}", reason, ex=KEPT_SECONDS)
    except RedisError as error:
        log.warning("the reason is not kept: %s", error)
