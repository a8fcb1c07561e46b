"""``/overview``: whether the channels work, what checks have changed, and what waits for a person."""

from __future__ import annotations

from fastapi import APIRouter

from stream_checker.http.access import Reader
from stream_checker.http.problems import responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.dag_runs import dag_states
from stream_checker.queries.overview import Overview, overview
from stream_checker.resources import OpenLimiter, OpenRedis, OpenResultIndex, OpenRunOutcomes, OpenStore
from streamflow import faults, names, shared_settings

router = APIRouter(prefix="/overview", tags=["overview"], dependencies=[Reader])


@router.get("", dependencies=[at_most(4)], responses=responses(401, 403, 429, 503))
def get_overview(
    store: OpenStore, redis: OpenRedis, results: OpenResultIndex, outcomes: OpenRunOutcomes, limiter: OpenLimiter
) -> Overview:
    """Return the state of all channels and accounts, the changes of the last 24 hours, and what waits for a person."""
    settings = shared_settings.load(redis)
    states = dag_states([entry.name for entry in settings.schedule.checks])
    reason = faults.reason_of(redis, names.REFRESH_DAG)
    return overview(store, settings, results, outcomes, limiter, states, redis, reason)
