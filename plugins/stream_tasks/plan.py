"""The plan of a run, what is left for one-after-another checking, and what the chain's next run is told."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from stream_tasks import rooms
from stream_tasks.limits import push_limits
from stream_tasks.refresh import bring_in
from streamflow import config
from streamflow.errors import UnknownRecord
from streamflow.planning.plan import CheckParams
from streamflow.planning.plan import plan as make_plan

log = logging.getLogger(__name__)


def chained(run_id: str, params: dict[str, Any], started_at: datetime) -> dict[str, Any]:
    """How the run after this one knows its chain: the first run, when it started, and its own number from 2."""
    chain = params.get("chain") or {"first": run_id, "since": started_at.isoformat(), "number": 1}
    return {**chain, "number": chain["number"] + 1}


def next_run_id(chain: dict[str, Any]) -> str:
    """Made from the chain alone, so that a repeated trigger starts no second run."""
    return f"{chain['first']}__part{chain['number']}"


def plan(params: dict[str, Any], run_id: str) -> list[int]:
    """Plan the run and keep it in the UDI; answers the streams to check concurrently, in order of starting."""
    settings = config.load()
    chain = params.get("chain") or {}
    wanted = CheckParams.model_validate({name: params[name] for name in CheckParams.model_fields if name in params})
    with rooms.redis() as redis:
        store = rooms.udi(redis)
        if store.library.refreshed_at() is None:
            bring_in(redis, store)
        try:
            run = make_plan(
                store,
                settings,
                wanted,
                run_id=run_id,
                now=datetime.now(UTC),
                redis_up=push_limits(redis, store, settings),
                since=datetime.fromisoformat(chain["since"]) if chain else None,
            )
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
    return list(run.stream_ids) if run.mode == "concurrent" else []


def leftover(run_id: str) -> list[int]:
    """The streams of the run without a verdict: all of a sequential run, else those no limiter could admit."""
    with rooms.store() as store:
        return store.runs.unsettled_streams(run_id)


def next_in_chain(run_id: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """The id and conf of the chain's next run, or nothing when this run was the last."""
    with rooms.store() as store:
        state = store.runs.state(run_id)
    if state is None or not state.run.remaining:
        return []
    chain = chained(run_id, params, state.run.started_at)
    return [{"trigger_run_id": next_run_id(chain), "conf": {**params, "chain": chain}}]
