"""The marks of a chain's logins in Redis: open circuits, undecided failures, and tries that failed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from streamflow.records import Result

log = logging.getLogger(__name__)

KEPT_SECONDS = 2 * 86_400
# The pause between two probes behind an open circuit.
PROBE_SECONDS = 60
# The fields of a failed try that a circuit is judged by.
EVIDENCE = {"stream_id", "checked_at", "elapsed_s", "verdict", "reason", "run_id", "extra"}


class RedisMarks:
    """Implements :class:`~streamflow.checking.outages.Marks`.

    While Redis is away no login is marked. Checks then run one after another, and each failure is judged all the same.

    :param chain: the id of the chain's first run.
    """

    def __init__(self, redis: Redis, chain: str) -> None:
        self._redis = redis
        self._key = f"{{streamflow}}:circuits:{chain}"

    def causes(self) -> Mapping[str, str]:
        """Return the marked logins with the causes of their open circuits."""
        try:
            marks = cast("dict[bytes, bytes]", self._redis.hgetall(self._key))
        except RedisError as error:
            log.warning("the circuits of the run cannot be read: %s", error)
            return {}
        return {login.decode(): cause.decode() for login, cause in marks.items()}

    def mark(self, login: str, cause: str, *, is_tried_again: bool = False) -> None:
        """Mark a login."""
        try:
            with self._redis.pipeline() as pipeline:
                pipeline.hset(self._key, login, cause)
                pipeline.expire(self._key, KEPT_SECONDS)
                if cause and not is_tried_again:
                    pipeline.set(self._probe_key(login), "", nx=True, ex=PROBE_SECONDS)
                pipeline.execute()
        except RedisError as error:
            log.warning("a circuit of the run cannot be marked: %s", error)

    def clear(self, login: str) -> None:
        """Remove the mark of a login."""
        try:
            self._redis.hdel(self._key, login)
        except RedisError as error:
            log.warning("a circuit of the run cannot be cleared: %s", error)

    def claim_probe(self, login: str, claimant: str) -> bool:
        """Return whether a try may probe behind an open circuit."""
        try:
            holder = self._redis.set(self._probe_key(login), claimant, nx=True, get=True, ex=PROBE_SECONDS)
        except RedisError as error:
            log.warning("a probe behind an open circuit cannot be claimed: %s", error)
            return True
        return holder is None or holder == claimant.encode()

    def suspect(self, login: str, failed: Result) -> None:
        """Store the failure of a try that another try follows."""
        key = self._suspects_key(login)
        try:
            with self._redis.pipeline() as pipeline:
                pipeline.hset(key, str(failed.stream_id), failed.model_dump_json(include=EVIDENCE))
                pipeline.expire(key, KEPT_SECONDS)
                pipeline.execute()
        except RedisError as error:
            log.warning("a failed try cannot be noted: %s", error)

    def suspects(self, login: str) -> Collection[Result]:
        """Return the failed tries of a login."""
        try:
            failed = cast("list[bytes]", self._redis.hvals(self._suspects_key(login)))
        except RedisError as error:
            log.warning("the failed tries cannot be read: %s", error)
            return ()
        return [Result.model_validate_json(text) for text in failed]

    def _probe_key(self, login: str) -> str:
        return f"{self._key}:probe:{login}"

    def _suspects_key(self, login: str) -> str:
        return f"{self._key}:suspects:{login}"
