"""Finishing: the result of a check and the channels it completes, and a run's end."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from stream_tasks import alerts, metrics, resources
from stream_tasks.plan import next_run_id
from stream_tasks.resources import Resources
from streamflow import config, thumbnails
from streamflow.checking import finishing
from streamflow.checking.recent import is_recent
from streamflow.records import Result, Stream
from streamflow.reports.run_summary import run_summary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunResults:
    """The results of a run's checks: in the UDI, in Airflow's metrics, and in the channels that they complete."""

    resources: Resources
    run_id: str
    write_back: bool
    force: bool = False

    def keep(self, result: Result, thumbnail: bytes | None = None) -> None:
        """Keep the result of a check, and finish the channels that waited for no other stream."""
        log.info("stream %d: %s%s", result.stream_id, result.verdict, f", {result.reason}" if result.reason else "")
        store, settings = self.resources.store, self.resources.settings
        if thumbnail:
            thumbnails.save(config.home(), result.stream_id, thumbnail)
        channels = store.runs.settle(self.run_id, result.model_copy(update={"run_id": self.run_id}))
        metrics.checked(result)
        open_destination = partial(resources.destination, store, self.write_back)
        finishing.finish_ready(store, open_destination, channels, self.run_id, settings)

    def recent(self, stream: Stream) -> Result | None:
        """Return a result that another run has found since this run was planned, and that is still fresh."""
        latest = None if self.force else self.resources.store.results.latest(stream.id)
        if latest is None or latest.run_id == self.run_id:
            return None
        freshness = self.resources.settings.freshness_hours
        return latest if is_recent(latest, stream, freshness, datetime.now(UTC)) else None

    def kept(self, stream_id: int) -> Result | None:
        """Return the result of a stream that an earlier try of its check kept in this run."""
        latest = self.resources.store.results.latest(stream_id)
        return latest if latest and latest.run_id == self.run_id else None


def finish_run(run_id: str, *, write_back: bool) -> list[int]:
    """Give every stream of the run a result, and return the channels that are finished by this.

    :raises SourceError: for the task's retry, when a channel cannot be written now.
    """
    with resources.store() as store:
        return finishing.finish_run(store, partial(resources.destination, store, write_back), run_id, config.load())


def summarise(run_id: str, params: dict[str, Any]) -> dict[str, Any]:
    """Close the run, send its alerts, and return its summary."""
    with resources.store() as store:
        state = store.runs.state(run_id)
        if state is None:
            raise AirflowFailException(f"the UDI holds no run {run_id}: its plan failed")
        now = datetime.now(UTC)
        summary = run_summary(state, now, next_run_id=next_run_id(state.run, params))
        store.runs.close(run_id, summary, now)
        alerts.send(store, run_id)
    log.info("%s", summary)
    return summary
