"""The plan of a run, the streams left for sequential checks, and the next run of the chain."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from account_limiter import Limiter
from stream_tasks import resources
from stream_tasks.limits import configure
from stream_tasks.refresh import bring_in
from stream_tasks.write_back import may_write
from streamflow import config, faults, homes, names, shared_settings
from streamflow.errors import UdiUnavailable, UnknownRecord
from streamflow.planning import plan as planning
from streamflow.planning.params import CheckParams
from streamflow.planning.window import Window
from streamflow.records import Run

log = logging.getLogger(__name__)


def plan(params: dict[str, Any], run_id: str) -> list[dict[str, Any]]:
    """Plan the run and keep it in the UDI.

    :returns: the arguments of each concurrent check, in the order to start them.
    """
    with resources.redis() as redis, faults.noted(redis, run_id):
        store, settings = resources.udi(redis), shared_settings.load(redis)
        if store.library.refreshed_at() is None:
            bring_in(redis, store)
        request = planning.Request(
            run_id=run_id,
            params=CheckParams.model_validate(dict(params)),
            now=datetime.now(UTC),
            since=_chain_start(params),
            redis_up=configure(Limiter(redis), store, settings),
        )
        try:
            run = planning.plan(store, settings, request)
        except UnknownRecord as error:
            # No repetition makes a wrong id right.
            raise AirflowFailException(str(error)) from error
        store.runs.open(run)
    log.info(
        "%s: %d streams of %d channels to check, %d skipped, %d left for the chain's next run",
        run.mode,
        len(run.stream_ids),
        len(run.channels),
        len(run.skipped),
        run.remaining,
    )
    return _checks(run, run.stream_ids) if run.mode == "concurrent" else []


def leftover(run_id: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the arguments of each sequential check: of the run's streams without a result.

    When the window of the run is closed, these streams are skipped instead.

    :raises UdiUnavailable: for the task's retry, while Redis is away and another machine holds the plan.
    """
    with resources.store() as store:
        if is_closed(params):
            store.runs.skip(run_id, "window_closed")
        state = store.runs.state(run_id)
        if state is None and store.is_away and homes.has_others(config.home()):
            raise UdiUnavailable("Redis is away: another machine holds the plan of this run")
        return _checks(state.run, store.runs.unsettled_streams(run_id)) if state else []


def window_of(params: Mapping[str, Any]) -> Window:
    """Return the window of a run."""
    return Window.model_validate(params.get("window") or {})


def is_closed(params: Mapping[str, Any]) -> bool:
    """Return whether the window of a run is closed, so that no check may start any more."""
    return window_of(params).is_closed(datetime.now(UTC))


def _checks(run: Run, stream_ids: Iterable[int]) -> list[dict[str, Any]]:
    radio = set(run.radio_stream_ids)
    return [{"stream_id": stream, "radio": True} if stream in radio else {"stream_id": stream} for stream in stream_ids]


def next_in_chain(run_id: str, params: dict[str, Any], dag_run: Any = None) -> list[dict[str, Any]]:
    """Return id and conf of the chain's next run, in a list that is empty when this run is the last.

    :param dag_run: the run in Airflow. The next run is no scheduled one, so its conf says whether it may write.
    """
    with resources.redis() as redis:
        state, settings = resources.udi(redis).runs.state(run_id), shared_settings.load(redis)
    following = next_run_id(state.run, params) if state else None
    if state is None or following is None:
        return []
    conf = {**params, "write_back": may_write(params, dag_run, settings), "chain": _next_link(state.run, params)}
    return [{"trigger_run_id": following, "conf": conf}]


def next_run_id(run: Run, params: dict[str, Any]) -> str | None:
    """Return the id of the chain's next run; None when this run is the last.

    It derives from the chain alone, so that a repeated trigger starts no second run.
    """
    chain = _next_link(run, params)
    return names.chain_part(chain["first"], chain["number"]) if run.remaining else None


def _next_link(run: Run, params: dict[str, Any]) -> dict[str, Any]:
    """Return the place of the next run in its chain: the first run, its start, and the next run's number from 2."""
    chain = params.get("chain") or {"first": run.run_id, "since": run.started_at.isoformat(), "number": 1}
    return {**chain, "number": chain["number"] + 1}


def _chain_start(params: dict[str, Any]) -> datetime | None:
    chain = params.get("chain")
    return datetime.fromisoformat(chain["since"]) if chain else None
