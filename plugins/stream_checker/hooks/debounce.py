"""Wishes for a run, debounced: those that come close together become one run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from streamflow import names
from streamflow.errors import UdiUnavailable
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

SETTLE_SECONDS = 10.0
# How long a refresh is waited for, and how often it is looked for.
REFRESHED_WITHIN_SECONDS = 900.0
LOOK_SECONDS = 5.0
# A webhook starts a check of at most this number of streams; the schedule checks the rest.
MOST_NAMED = 1000
CHANNELS = "{streamflow}:hooks:channels"
REFRESHING = "{streamflow}:hooks:refreshing"
EVER = datetime(1970, 1, 1, tzinfo=UTC)

Trigger = Callable[[str, dict[str, Any]], None]


def trigger(dag_id: str, conf: dict[str, Any]) -> None:
    """Start a run of a DAG."""
    # It opens Airflow's database, which only the API server may do.
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType

    run_id = f"hook__{datetime.now(UTC).isoformat()}"
    trigger_dag(dag_id, triggered_by=DagRunTriggeredByType.REST_API, run_id=run_id, conf=conf)


class DebouncedRuns:
    """Thread-safe. The channels are kept in Redis: what a server that stopped did not start, the next burst starts."""

    def __init__(
        self, redis: Redis, store: Store, trigger: Trigger = trigger, *, settle: float = SETTLE_SECONDS
    ) -> None:
        self._redis = redis
        self._store = store
        self._trigger = trigger
        self._settle = settle
        self._lock = threading.Lock()
        self._planned: set[Callable[[], None]] = set()

    def check_channels(self, channel_ids: Iterable[int]) -> None:
        """Check these channels soon, together with others asked for meanwhile. Raises UdiUnavailable."""
        try:
            self._redis.sadd(CHANNELS, *channel_ids)
        except RedisError as error:
            raise UdiUnavailable(f"Redis does not answer: {error}") from error
        self._soon(self._check_channels)

    def refresh(self) -> None:
        """Refresh the UDI soon, and then check the streams that never were."""
        if self._is_first():
            self._soon(self._refresh)

    def _is_first(self) -> bool:
        """Whether no other server of Airflow's API is about to refresh; without Redis each does."""
        try:
            return bool(self._redis.set(REFRESHING, "1", nx=True, px=int(self._settle * 1000)))
        except RedisError as error:
            log.warning("other servers may refresh, too: %s", error)
            return True

    def _soon(self, act: Callable[[], None]) -> None:
        with self._lock:
            if act in self._planned:
                return
            self._planned.add(act)
        _later(self._settle, lambda: self._now(act))

    def _now(self, act: Callable[[], None]) -> None:
        with self._lock:
            self._planned.discard(act)
        act()

    def _check_channels(self) -> None:
        with self._redis.pipeline(transaction=True) as batch:
            batch.smembers(CHANNELS)
            batch.delete(CHANNELS)
            ids = sorted(map(int, batch.execute()[0]))
        if not ids:
            return
        try:
            # They failed since their last check, however fresh that is.
            self._trigger(names.CHECK_DAG, {"channel_ids": ids, "force": True})
        except Exception:
            self._redis.sadd(CHANNELS, *ids)
            raise

    def _refresh(self) -> None:
        before = self._store.library.refreshed_at()
        self._trigger(names.REFRESH_DAG, {})
        self._await_refresh(before, time.monotonic() + REFRESHED_WITHIN_SECONDS)

    def _await_refresh(self, before: datetime | None, until: float) -> None:
        if self._store.library.refreshed_at() != before:
            self._check_new()
        elif time.monotonic() < until:
            _later(min(LOOK_SECONDS, self._settle), lambda: self._await_refresh(before, until))
        else:
            log.warning("what is new is left to the next scheduled check: the refresh has not ended in time")

    def _check_new(self) -> None:
        library, checked = self._store.library, self._store.results.checked_since(EVER)
        of_channels = {stream for channel in library.channels() for stream in channel.stream_ids}
        new = sorted(of_channels.intersection(library.stream_ids()).difference(checked))
        if new:
            self._trigger(names.CHECK_DAG, {"stream_ids": new[:MOST_NAMED]})


def _later(seconds: float, act: Callable[[], None]) -> None:
    def safely() -> None:
        try:
            act()
        except Exception:
            log.exception("a run that a webhook asked for was not started")

    timer = threading.Timer(seconds, safely)
    timer.daemon = True
    timer.start()
