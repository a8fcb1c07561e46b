"""Debounced runs: requests for a run that arrive shortly after each other start one run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from streamflow import config, names
from streamflow.errors import UdiUnavailable
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 10.0
# The UDI is refreshed at most once in this time. The time between two checks of a channel is a setting.
REFRESH_COOLDOWN_SECONDS = 60.0
# The end of a refresh is awaited for this time, and looked for at this interval.
REFRESH_TIMEOUT_SECONDS = 900.0
POLL_SECONDS = 5.0
# A webhook starts a check of at most this number of new streams; the schedule checks the rest.
MAX_NEW_STREAMS = 1000
CHANNELS_KEY = "{streamflow}:hooks:channels"
COOLDOWN_KEY = "{streamflow}:hooks:cooldown:"
REFRESH_KEY = "{streamflow}:hooks:refreshing"
BEGIN_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)

Trigger = Callable[[str, Mapping[str, Any]], None]


def trigger_run(dag_id: str, conf: Mapping[str, Any]) -> None:
    """Start a run of a DAG. Only the API server may call it, because it opens Airflow's database."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType

    run_id = f"hook__{datetime.now(UTC).isoformat()}"
    trigger_dag(dag_id, triggered_by=DagRunTriggeredByType.REST_API, run_id=run_id, conf=dict(conf))


class DebouncedRuns:
    """Starts the runs that webhooks request. Thread-safe.

    Redis holds the requested channels, so that the next request also starts the check that a stopped server did not
    start.

    :param trigger: starts a run of a DAG.
    :param debounce: seconds between the first request and the run.
    :param cooldown: returns the seconds between two checks of a channel.
    """

    def __init__(
        self,
        redis: Redis,
        store: Store,
        trigger: Trigger = trigger_run,
        *,
        debounce: float = DEBOUNCE_SECONDS,
        cooldown: Callable[[], float] = lambda: config.load().webhooks.channel_cooldown,
    ) -> None:
        self._redis = redis
        self._store = store
        self._trigger = trigger
        self._debounce = debounce
        self._cooldown = cooldown
        self._lock = threading.Lock()
        self._scheduled: set[Callable[[], None]] = set()
        self._refresh_allowed_at = float("-inf")

    def check_channels(self, channel_ids: Iterable[int]) -> bool:
        """Check channels soon, except those that a webhook had checked a short time ago.

        :returns: whether any channel will be checked.
        :raises UdiUnavailable: when Redis is unavailable.
        """
        try:
            due_ids = self._without_cooldown(list(channel_ids))
            if not due_ids:
                return False
            self._redis.sadd(CHANNELS_KEY, *due_ids)
        except RedisError as error:
            raise UdiUnavailable(f"Redis is unavailable: {error}") from error
        self._schedule(self._debounce, self._start_check)
        return True

    def refresh(self) -> None:
        """Refresh the UDI soon, and then check the streams of channels that were never checked."""
        if self._is_first_request():
            cooldown = self._refresh_allowed_at - time.monotonic()
            self._schedule(max(self._debounce, cooldown), self._start_refresh)

    def _without_cooldown(self, channel_ids: Sequence[int]) -> list[int]:
        cooldowns: Any = self._redis.mget([f"{COOLDOWN_KEY}{id}" for id in channel_ids]) if channel_ids else []
        return [id for id, cooldown in zip(channel_ids, cooldowns, strict=True) if cooldown is None]

    def _is_first_request(self) -> bool:
        """Return whether no other API server is about to refresh; without Redis each server refreshes."""
        try:
            return bool(self._redis.set(REFRESH_KEY, "1", nx=True, px=int(self._debounce * 1000)))
        except RedisError as error:
            log.warning("Redis is unavailable, so other API servers may refresh the UDI as well: %s", error)
            return True

    def _schedule(self, seconds: float, action: Callable[[], None]) -> None:
        """Run an action once after some time, however often it is scheduled until then."""
        with self._lock:
            if action in self._scheduled:
                return
            self._scheduled.add(action)

        def run() -> None:
            with self._lock:
                self._scheduled.discard(action)
            action()

        _run_later(seconds, run)

    def _start_check(self) -> None:
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.smembers(CHANNELS_KEY)
            pipeline.delete(CHANNELS_KEY)
            ids = sorted(map(int, pipeline.execute()[0]))
        if not ids:
            return
        try:
            # The channels failed after their last check, so fresh results do not count.
            self._trigger(names.CHECK_DAG, {"channel_ids": ids, "force": True})
        except Exception:
            self._redis.sadd(CHANNELS_KEY, *ids)
            raise
        if milliseconds := int(self._cooldown() * 1000):
            with self._redis.pipeline(transaction=False) as pipeline:
                for id in ids:
                    pipeline.set(f"{COOLDOWN_KEY}{id}", "1", px=milliseconds)
                pipeline.execute()

    def _start_refresh(self) -> None:
        self._refresh_allowed_at = time.monotonic() + REFRESH_COOLDOWN_SECONDS
        refreshed_at = self._store.library.refreshed_at()
        self._trigger(names.REFRESH_DAG, {})
        self._await_refresh(refreshed_at, time.monotonic() + REFRESH_TIMEOUT_SECONDS)

    def _await_refresh(self, refreshed_before: datetime | None, deadline: float) -> None:
        if self._store.library.refreshed_at() != refreshed_before:
            self._check_new_streams()
        elif time.monotonic() < deadline:
            interval = min(POLL_SECONDS, self._debounce)
            _run_later(interval, lambda: self._await_refresh(refreshed_before, deadline))
        else:
            log.warning("the refresh has not ended in time; the next scheduled run checks the new streams")

    def _check_new_streams(self) -> None:
        library, checked_ids = self._store.library, self._store.results.checked_since(BEGIN_OF_TIME)
        assigned_ids = {id for channel in library.channels() if not channel.is_hidden for id in channel.stream_ids}
        new_ids = sorted(assigned_ids.intersection(library.stream_ids()).difference(checked_ids))
        if new_ids:
            self._trigger(names.CHECK_DAG, {"stream_ids": new_ids[:MAX_NEW_STREAMS]})


def _run_later(seconds: float, action: Callable[[], None]) -> None:
    def run() -> None:
        try:
            action()
        except Exception:
            log.exception("the run that a webhook requested could not be started")

    timer = threading.Timer(seconds, run)
    timer.daemon = True
    timer.start()
