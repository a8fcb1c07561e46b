"""Finishing: the result of a check and the channels it completes, and a run's end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException
from redis import Redis

from account_limiter import Limiter, LimiterUnavailable
from stream_tasks import alerts, metrics, resources
from stream_tasks.limits import exceeded_accounts
from stream_tasks.panels import observe_releases
from stream_tasks.plan import is_closed, next_run_id
from stream_tasks.resources import Resources
from stream_tasks.write_back import may_write
from streamflow import config, homes, shared_settings
from streamflow.checking import finishing
from streamflow.checking.marks import RedisMarks
from streamflow.checking.outages import Outages
from streamflow.checking.run_results import RunResults
from streamflow.config import Config
from streamflow.errors import UdiUnavailable
from streamflow.reports.run_summary import run_summary
from streamflow.udi import Udi
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

# Each machine merges its writes every few seconds; one that is off is waited for in vain.
GATHER_SECONDS = 30.0


def run_results(opened: Resources, context: Context, login: str = "") -> RunResults:
    """Return where the results of the run's checks are kept.

    :param login: the login of the checked stream; empty for a stream without an account.
    """
    params, store, run_id = context["params"], opened.store, context["run_id"]
    return RunResults(
        run_id=run_id,
        login=login,
        outages=_outages(opened.redis, store, opened.settings, run_id, params),
        store=store,
        settings=opened.settings,
        home=config.home(),
        open_destination=partial(
            resources.destination, opened.redis, store, may_write(params, context.get("dag_run"), opened.settings)
        ),
        count=metrics.checked,
        force=bool(params.get("force")),
    )


def _outages(redis: Redis, store: Store, settings: Config, run_id: str, params: Mapping[str, Any]) -> Outages:
    """Return the outages of a run; their marks are those of its whole chain."""
    chain = params.get("chain") or {"first": run_id}
    return Outages(store, RedisMarks(redis, chain["first"]), settings.safety, run_id)


def finish_run(run_id: str, params: dict[str, Any], *, write_back: bool) -> list[int]:
    """Give every stream of the run a result, and return the channels that are finished by this.

    :raises SourceError: for the task's retry, when a channel cannot be written now.
    :raises UdiUnavailable: for the task's retry, while Redis is away and other machines may hold results.
    """
    with resources.redis() as redis:
        store, settings = resources.udi(redis), shared_settings.load(redis)
        _gather(redis, store, run_id)
        open_destination = partial(resources.destination, redis, store, write_back)
        outages = _outages(redis, store, settings, run_id, params)
        return finishing.finish_run(store, open_destination, outages, settings, is_closed=is_closed(params))


def _gather(redis: Redis, store: Udi, run_id: str) -> None:
    """Wait for the results of the run that other machines found while Redis was away."""
    home = config.home()
    is_settled = not store.runs.unsettled_streams(run_id)
    if not homes.has_others(home):
        return
    if store.is_away:
        raise UdiUnavailable("Redis is away: other machines may hold results of this run")
    if not is_settled:
        homes.Homes(redis, home).await_others(GATHER_SECONDS)


def summarise(run_id: str, params: dict[str, Any]) -> dict[str, Any]:
    """Close the run, send its alerts, and return its summary.

    After the last run of a chain the panels show how long they count closed connections.
    """
    with resources.redis() as redis:
        store = resources.udi(redis)
        state = store.runs.state(run_id)
        if state is None:
            raise AirflowFailException(f"the UDI holds no run {run_id}: its plan failed")
        now = datetime.now(UTC)
        # A user who stops a run stops its chain.
        following = None if state.reasons.get("cancelled") else next_run_id(state.run, params)
        summary = run_summary(state, now, next_run_id=following)
        store.runs.close(run_id, summary, now)
        alerts.send_run(redis, store, state, params, exceeded_accounts(Limiter(redis), state.run.started_at))
        if following is None:
            _observe_releases(redis, store)
    log.info("%s", summary)
    return summary


def _observe_releases(redis: Redis, store: Store) -> None:
    try:
        observe_releases(redis, store, shared_settings.load(redis))
    except LimiterUnavailable as error:
        log.warning("the panels are not watched: %s", error)
