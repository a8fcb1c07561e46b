"""The marks of a run's logins in Redis: open circuits, and failures that are undecided."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

KEPT_SECONDS = 2 * 86_400
# The pause between two probes behind an open circuit.
PROBE_SECONDS = 60


class RedisMarks:
    """Implements :class:`~streamflow.checking.outages.Marks`.

    While Redis is away no login is marked. Checks then run one after another, and each failure is judged all the same.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def causes(self, run_id: str) -> Mapping[str, str]:
        """Return the marked logins with the causes of their open circuits."""
        try:
            marks = cast("dict[bytes, bytes]", self._redis.hgetall(_key(run_id)))
        except RedisError as error:
            log.warning("the circuits of the run cannot be read: %s", error)
            return {}
        return {login.decode(): cause.decode() for login, cause in marks.items()}

    def mark(self, run_id: str, login: str, cause: str) -> None:
        """Mark a login."""
        try:
            with self._redis.pipeline() as pipeline:
                pipeline.hset(_key(run_id), login, cause)
                pipeline.expire(_key(run_id), KEPT_SECONDS)
                if cause:
                    pipeline.set(_probe_key(run_id, login), "1", nx=True, ex=PROBE_SECONDS)
                pipeline.execute()
        except RedisError as error:
            log.warning("a circuit of the run cannot be marked: %s", error)

    def clear(self, run_id: str, login: str) -> None:
        """Remove the mark of a login."""
        try:
            self._redis.hdel(_key(run_id), login)
        except RedisError as error:
            log.warning("a circuit of the run cannot be cleared: %s", error)

    def claim_probe(self, run_id: str, login: str) -> bool:
        """Return whether the caller may probe a stream behind an open circuit."""
        try:
            return bool(self._redis.set(_probe_key(run_id, login), "1", nx=True, ex=PROBE_SECONDS))
        except RedisError as error:
            log.warning("a probe behind an open circuit cannot be claimed: %s", error)
            return True


def _key(run_id: str) -> str:
    return f"{{streamflow}}:circuits:{run_id}"


def _probe_key(run_id: str, login: str) -> str:
    return f"{{streamflow}}:circuits:{run_id}:probe:{login}"
