"""``/runs``: the progress of a run."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from stream_checker.http.access import Reader
from stream_checker.http.problems import Problem, responses
from stream_checker.http.throttle import at_once
from stream_checker.queries import report_file
from stream_checker.queries.run_outcomes import RunOutcome
from stream_checker.queries.stream_names import NamedResult, NamedStream, StreamNames
from stream_checker.resources import OpenRunOutcomes, Udi
from streamflow.records import ChannelChange, Mode, RunState
from streamflow.reports.health import HealthReport
from streamflow.reports.health import report as health_report

router = APIRouter(prefix="/runs", tags=["runs"], dependencies=[Reader])

PENDING = "pending"


class RunStream(NamedStream):
    """A planned stream: ``state`` is its verdict in this run, ``running`` or ``pending``."""

    state: str
    result: NamedResult | None


class RunDetail(BaseModel):
    """``verdicts`` counts every planned stream, undecided ones as ``pending``; ``names`` are those of ``channels``.

    ``rate_per_minute`` is over the whole run so far; ``expected_end`` is null before the first verdict and at the end.
    """

    run_id: str
    mode: Mode
    params: dict[str, Any]
    started_at: datetime
    finished_at: datetime | None
    total: int
    done: int
    verdicts: dict[str, int]
    reasons: dict[str, int]
    rate_per_minute: float | None
    expected_end: datetime | None
    channels: list[int]
    names: dict[int, str]
    finished_channels: list[ChannelChange]
    streams: list[RunStream]
    skipped: dict[int, str]
    remaining: int
    next_run_id: str | None
    summary: dict[str, Any] | None


class RunList(BaseModel):
    """Run ids, newest first, and how each ended or how far it is."""

    runs: list[str]
    outcomes: list[RunOutcome]


@router.get("", responses=responses(401, 403, 422, 429, 503), dependencies=[at_once(4)])
def runs(store: Udi, outcomes: OpenRunOutcomes, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> RunList:
    """The latest runs."""
    ids = store.runs.newest(limit)
    return RunList(runs=ids, outcomes=outcomes.of(store, ids))


@router.get("/{run_id}", responses=responses(401, 403, 404, 422, 429, 503), dependencies=[at_once(8)])
def run(
    run_id: str,
    store: Udi,
    streams: Annotated[bool, Query(description="false leaves out the state of each stream")] = True,
) -> RunDetail:
    """One run: counts by verdict, the state of each stream, rate and expected end."""
    state = known(store, run_id)
    counts = Counter(state.streams.values())
    total, done = len(state.streams), len(state.streams) - counts[PENDING]
    rate, end = pace(state, done, total, datetime.now(UTC))
    return RunDetail(
        run_id=state.run.run_id,
        mode=state.run.mode,
        params=state.run.params,
        started_at=state.run.started_at,
        finished_at=state.finished_at,
        total=total,
        done=done,
        verdicts=dict(counts),
        reasons=state.reasons,
        rate_per_minute=rate,
        expected_end=end,
        channels=list(state.run.channels),
        names={channel.id: channel.name for channel in store.library.channels(state.run.channels)},
        finished_channels=list(state.finished_channels.values()),
        streams=_streams(store, state) if streams else [],
        skipped=state.run.skipped,
        remaining=state.run.remaining,
        next_run_id=(state.summary or {}).get("next_run_id"),
        summary=state.summary,
    )


@router.get(
    "/{run_id}/report",
    response_model=HealthReport,
    responses={
        200: {"content": {kind: {"schema": {"type": "string"}} for kind in report_file.TYPES.values()}},
        **responses(401, 403, 404, 422, 429, 503),
    },
    dependencies=[at_once(2)],
)
def report(
    run_id: str,
    store: Udi,
    format: Annotated[Literal["json", "csv", "html"], Query(description="`csv` and `html` are files")] = "json",
) -> HealthReport | Response:
    """What works in each group and account, the worst channels, mislabelled streams and duplicates."""
    found = health_report(store, known(store, run_id))
    return found if format == "json" else report_file.response(found, format)


def known(store: Udi, run_id: str) -> RunState:
    """The run, or a 404."""
    state = store.runs.state(run_id)
    if state is None:
        raise Problem(404, f"no run {run_id}")
    return state


def pace(state: RunState, done: int, total: int, now: datetime) -> tuple[float | None, datetime | None]:
    """Verdicts a minute, and when the last one is to be expected at that rate."""
    elapsed = ((state.finished_at or now) - state.run.started_at).total_seconds()
    if not done or elapsed <= 0:
        return None, None
    end = None if state.finished_at or done == total else now + timedelta(seconds=elapsed / done * (total - done))
    return round(done / elapsed * 60, 2), end


def _streams(store: Udi, state: RunState) -> list[RunStream]:
    ids = state.run.stream_ids
    labels, running, results = StreamNames(store, ids), store.progress.running(), store.results.latest_of(ids)
    listed = []
    for id in ids:
        verdict, result = state.streams.get(id, PENDING), results.get(id)
        listed.append(
            RunStream(
                **dict(labels.of(id)),
                state="running" if verdict == PENDING and id in running else verdict,
                # A later run may have checked it since.
                result=labels.named(result) if result and result.run_id == state.run.run_id else None,
            )
        )
    return listed
