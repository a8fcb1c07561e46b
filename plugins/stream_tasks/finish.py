"""Finishing: a channel's order and statistics when its last stream is done, and a run's summary at its end."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from stream_tasks import alerts, rooms
from stream_tasks.plan import chained, next_run_id
from stream_tasks.tries import undecided
from streamflow import config
from streamflow.errors import SourceError
from streamflow.ordering.finish import finish
from streamflow.udi import Udi

log = logging.getLogger(__name__)


def finish_ready(store: Udi, channel_ids: list[int], run_id: str, *, write_back: bool) -> None:
    """Finish channels as soon as they can be; one that can't be now is left to the run's own finishing task."""
    if not channel_ids:
        return
    settings = config.load()
    try:
        with rooms.target(store, write_back) as target:
            for channel_id in channel_ids:
                finish(store, target, channel_id, run_id, settings)
    except SourceError as error:
        log.warning("channels %s are left to the run's summary: %s", channel_ids, error)


def finish_channels(run_id: str, *, write_back: bool) -> list[int]:
    """Give every stream of the run a verdict, and finish the channels that are not; answers those channels.

    Raises SourceError for the task's retry to try again what could not be written.
    """
    settings = config.load()
    with rooms.store() as store:
        for stream_id in store.runs.unsettled_streams(run_id):
            lost = "its check ended without a verdict; see the task's log"
            result = undecided(stream_id, None, "unknown", "internal_error", lost)
            store.runs.settle(run_id, result.model_copy(update={"run_id": run_id}))
        channels = store.runs.unfinished_channels(run_id)
        if channels:
            with rooms.target(store, write_back) as target:
                for channel_id in channels:
                    finish(store, target, channel_id, run_id, settings)
    return channels


def summarise(run_id: str, params: dict[str, Any]) -> dict[str, Any]:
    """Close the run; answers counts by verdict and reason, channels finished and changed, and the time it took."""
    with rooms.store() as store:
        state = store.runs.state(run_id)
        if state is None:
            raise AirflowFailException(f"the UDI holds no run {run_id}: its plan failed")
        now = datetime.now(UTC)
        changes = state.finished_channels.values()
        summary = {
            "mode": state.run.mode,
            "streams": len(state.streams),
            "verdicts": dict(Counter(state.streams.values())),
            "reasons": state.reasons,
            "skipped": dict(Counter(state.run.skipped.values())),
            "channels": len(state.run.channels),
            "channels_changed": sum(bool(change.moves) for change in changes),
            "conflicts": sum(change.conflict is not None for change in changes),
            "elapsed_s": round((now - state.run.started_at).total_seconds(), 1),
            "remaining": state.run.remaining,
            "next_run_id": next_run_id(chained(run_id, params, state.run.started_at)) if state.run.remaining else None,
        }
        store.runs.close(run_id, summary, now)
        alerts.tell(store, run_id)
    log.info("%s", summary)
    return summary
