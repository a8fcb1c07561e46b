"""``/runs``: the progress and the report of a run."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from stream_checker.http.access import EditingUser, Reader
from stream_checker.http.parameters import RunId
from stream_checker.http.problems import Problem, responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.dag_runs import AirflowRun, airflow_run, stop_checks
from stream_checker.queries.report_file import (
    HEALTH_SECTIONS,
    TYPES,
    FileFormat,
    file_response,
    report_csv,
    report_html,
)
from stream_checker.queries.run_outcomes import RunOutcome, RunOutcomes
from stream_checker.queries.stream_names import NamedResult, NamedStream, StreamNames
from stream_checker.resources import OpenRedis, OpenRunOutcomes, OpenStore
from streamflow import config, homes, shared_settings, sources
from streamflow.checking.subject import Subject
from streamflow.ordering.undo import conflict, last_of_run, undo
from streamflow.records import ChannelChange, Mode, RunState
from streamflow.reports.health import HealthReport
from streamflow.reports.health import report as health_report
from streamflow.udi import Udi
from streamflow.udi.ports import Store

router = APIRouter(prefix="/runs", tags=["runs"], dependencies=[Reader])

PENDING = "pending"
# The channels in conflict that a message names.
MAX_NAMED = 5


class RunStream(NamedStream):
    """A planned stream of a run."""

    state: str = Field(description="Its verdict in this run, else `running` or `pending`", examples=["ok"])
    result: NamedResult | None = Field(description="Its result of this run; null while there is none")


class ChainProgress(BaseModel):
    """The progress of a chain of runs, which checks a larger library than one run may."""

    part: int = Field(description="Number of this run in the chain, from 1")
    parts: list[str] = Field(description="Ids of the runs that the chain has so far")
    total: int = Field(description="Number of streams of all parts, those still to come included")
    done: int = Field(description="Number of streams that have a verdict, in all parts")
    expected_end: datetime | None = Field(
        description="End at the rate so far; null before the first verdict and after the last"
    )


class RunDetail(BaseModel):
    """The progress of a run."""

    run_id: str = Field(description="Id of the run in Airflow")
    mode: Mode = Field(description="Whether streams are checked at the same time or one after another")
    params: dict[str, Any] = Field(description="Parameters of the run")
    started_at: datetime = Field(description="Start of the run")
    finished_at: datetime | None = Field(description="End of the run; null while it runs")
    stopped: bool = Field(description="Whether a user stopped the run")
    total: int = Field(description="Number of planned streams")
    done: int = Field(description="Number of streams that have a verdict")
    verdicts: dict[str, int] = Field(
        description="Number of streams by verdict; those without a verdict are `pending`",
        examples=[{"ok": 40, "dead": 2}],
    )
    reasons: dict[str, int] = Field(description="Number of streams by reason", examples=[{"http_404": 2}])
    rate_per_minute: float | None = Field(description="Verdicts a minute over the whole run; null before the first")
    expected_end: datetime | None = Field(
        description="End at this rate; null before the first verdict and after the last"
    )
    channels: list[int] = Field(description="Ids of the run's channels")
    names: dict[int, str] = Field(description="Names of the channels by id")
    finished_channels: list[ChannelChange] = Field(description="Changes of the channels that are finished")
    streams: list[RunStream] = Field(description="State of each planned stream; empty unless requested")
    skipped: dict[int, str] = Field(description="Reasons of the streams that were not planned, by stream id")
    details: dict[int, str] = Field(
        description="Details of these reasons, by stream id: `watched` and since when for streams that people watched",
        examples=[{"12": "watched until 2026-01-02T03:04:05+00:00"}],
    )
    remaining: int = Field(description="Number of streams that are left for the next run of the chain")
    next_run_id: str | None = Field(description="Id of the next run of the chain; null when there is none")
    chain: ChainProgress | None = Field(description="Progress of the whole chain; null for a run without one")
    summary: dict[str, Any] | None = Field(description="Summary of the run; null while it runs")


class RunList(BaseModel):
    """The latest runs."""

    runs: list[str] = Field(description="Ids of the runs, newest first")
    outcomes: list[RunOutcome] = Field(description="Outcomes of these runs, in the same order")


@router.get("", responses=responses(401, 403, 422, 429, 503), dependencies=[at_most(4)])
def list_runs(
    store: OpenStore,
    outcomes: OpenRunOutcomes,
    limit: Annotated[int, Query(ge=1, le=200, description="Number of runs")] = 20,
) -> RunList:
    """Return the latest runs, newest first."""
    ids = store.runs.newest(limit)
    return RunList(runs=ids, outcomes=outcomes.get(store, ids))


@router.get("/{run_id}", responses=responses(401, 403, 404, 422, 429, 503), dependencies=[at_most(8)])
def get_run(
    run_id: RunId,
    store: OpenStore,
    outcomes: OpenRunOutcomes,
    streams: Annotated[bool, Query(description="Whether to include the state of each stream")] = True,
) -> RunDetail:
    """Return the progress of a run: counts by verdict, rate, expected end and the state of each stream."""
    state = existing_run(store, run_id)
    counts = Counter(state.streams.values())
    total, done = len(state.streams), len(state.streams) - counts[PENDING]
    rate, end = pace(state.run.started_at, state.finished_at, done, total)
    return RunDetail(
        run_id=state.run.run_id,
        mode=state.run.mode,
        params=state.run.params,
        started_at=state.run.started_at,
        finished_at=state.finished_at,
        stopped=bool(state.reasons.get("cancelled")),
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
        details={
            stream: f"watched until {at.isoformat(timespec='seconds')}" for stream, at in state.run.watched.items()
        },
        remaining=state.run.remaining,
        next_run_id=(state.summary or {}).get("next_run_id"),
        chain=_chain(store, outcomes, state),
        summary=state.summary,
    )


@router.get(
    "/{run_id}/report",
    response_model=HealthReport,
    responses={
        200: {"content": {media_type: {"schema": {"type": "string"}} for media_type in TYPES.values()}},
        **responses(401, 403, 404, 422, 429, 503),
    },
    dependencies=[at_most(2)],
)
def get_report(
    run_id: RunId,
    store: OpenStore,
    redis: OpenRedis,
    format: Annotated[FileFormat, Query(description="`csv` and `html` are files")] = "json",
) -> HealthReport | Response:
    """Return the share of working streams by group and account, the worst channels and mislabelled streams."""
    unusable = shared_settings.load(redis).scoring.unusable_reasons
    report = health_report(store, existing_run(store, run_id), unusable)
    match format:
        case "json":
            return report
        case "csv":
            return file_response(report_csv(report, HEALTH_SECTIONS), "health-report", format)
        case "html":
            note = f"Started {report.started_at:%Y-%m-%d %H:%M} UTC"
            page = report_html(report, HEALTH_SECTIONS, f"Health report of {report.run_id}", note)
            return file_response(page, "health-report", format)


@router.get("/{run_id}/airflow", responses=responses(401, 403, 422, 429), dependencies=[at_most(8)])
def get_airflow_run(run_id: RunId, redis: OpenRedis) -> AirflowRun:
    """Return the state of a run in Airflow: whether it waits, is paused or has failed, and why."""
    return airflow_run(redis, run_id)


class StoppedRun(BaseModel):
    """A run that was stopped."""

    run_id: str = Field(description="Id of the run in Airflow")
    skipped_tasks: int = Field(description="Number of tasks that had not ended")
    cancelled: int = Field(description="Number of streams that are `unknown: cancelled`, because they had no verdict")


@router.post("/{run_id}/stop", responses=responses(401, 403, 404, 422, 503))
def stop_run(run_id: RunId, store: OpenStore, user: EditingUser) -> StoppedRun:
    """Stop a run: no check starts, running ones end, and the channels are finished by what is known."""
    state = store.runs.state(run_id)
    skipped = stop_checks(run_id, user, is_planned=state is not None)
    if skipped is None:
        raise Problem(404, f"Airflow has no run {run_id}.")
    unsettled = store.runs.unsettled_streams(run_id) if state and not state.finished_at else []
    for stream_id in unsettled:
        result = Subject.load(store.library, stream_id).stopped()
        store.runs.settle(run_id, result.model_copy(update={"run_id": run_id}))
    return StoppedRun(run_id=run_id, skipped_tasks=skipped, cancelled=len(unsettled))


class UndoConflict(BaseModel):
    """A channel whose changes cannot be undone."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    name: str | None = Field(description="Name of the channel", examples=["Das Erste"])
    reason: str = Field(description="Reason why its changes stay")


class UndoneRun(BaseModel):
    """The channels that an undo put back."""

    undone: list[int] = Field(description="Ids of the channels that are as they were before the run")
    conflicts: list[UndoConflict] = Field(description="Channels that stay, because they were changed since")


@router.post("/{run_id}/undo", responses=responses(401, 403, 404, 409, 422, 502, 503))
def undo_run(
    run_id: RunId,
    store: OpenStore,
    redis: OpenRedis,
    user: EditingUser,
    partial: Annotated[
        bool, Query(description="Undo what can be undone, and leave channels in conflict alone")
    ] = False,
) -> UndoneRun:
    """Put all channels back as they were before a run. Without `partial`, any conflict is a 409 and nothing changes."""
    changes = [last_of_run(store.runs.changes(channel), run_id) for channel in existing_run(store, run_id).run.channels]
    changes = [one for one in changes if one]
    names = {channel.id: channel.name for channel in store.library.channels(one[0].channel_id for one in changes)}
    if not changes:
        raise Problem(409, f"Run {run_id} has changed no channel.")
    conflicts, undone = [], []
    with sources.opened(redis=redis) as source:
        destination = source.destination(store)
        for one in changes:
            if reason := conflict(destination, one):
                id = one[0].channel_id
                conflicts.append(UndoConflict(channel_id=id, name=names.get(id), reason=reason))
        if conflicts and not partial:
            named = "; ".join(f"{one.name or one.channel_id}: {one.reason}" for one in conflicts[:MAX_NAMED])
            raise Problem(409, f"{len(conflicts)} of {len(changes)} channels cannot be put back. {named}.")
        kept = {one.channel_id for one in conflicts}
        for one in changes:
            if one[0].channel_id not in kept:
                undo(store, destination, one, f"undone by {user.get_name()}")
                undone.append(one[0].channel_id)
    return UndoneRun(undone=undone, conflicts=conflicts)


def existing_run(store: Udi, run_id: str) -> RunState:
    """Return the state of a run.

    :raises Problem: 404 when the UDI does not hold the run; 503 when it may be held by another machine.
    """
    state = store.runs.state(run_id)
    if state is None and store.is_away and homes.has_others(config.home()):
        raise Problem(503, f"Redis is away, and this machine's file store does not hold run {run_id}.")
    if state is None:
        raise Problem(404, f"Run {run_id} does not exist.")
    return state


def pace(
    started_at: datetime, finished_at: datetime | None, done: int, total: int
) -> tuple[float | None, datetime | None]:
    """Return the verdicts a minute, and the time of the last verdict at that rate."""
    now = datetime.now(UTC)
    elapsed = ((finished_at or now) - started_at).total_seconds()
    if not done or elapsed <= 0:
        return None, None
    end = None if finished_at or done == total else now + timedelta(seconds=elapsed / done * (total - done))
    return round(done / elapsed * 60, 2), end


def _chain(store: Store, outcomes: RunOutcomes, state: RunState) -> ChainProgress | None:
    """Return the progress of the chain that a run is part of."""
    link = state.run.params.get("chain") or {"first": state.run.run_id, "number": 1}
    if not state.run.remaining and link["number"] == 1:
        return None
    parts = outcomes.chain(store, link["first"], link["number"])
    total = sum(one.verdicts.total() for one in parts) + parts[-1].remaining
    done = total - parts[-1].remaining - sum(one.verdicts[PENDING] for one in parts)
    return ChainProgress(
        part=link["number"],
        parts=[one.run_id for one in parts],
        total=total,
        done=done,
        expected_end=pace(parts[0].started_at, None if parts[-1].remaining else parts[-1].finished_at, done, total)[1],
    )


def _streams(store: Store, state: RunState) -> list[RunStream]:
    ids = state.run.stream_ids
    names, progress, results = StreamNames(store, ids), store.progress.running(), store.results.latest_of(ids)
    streams = []
    for id in ids:
        verdict, result = state.streams.get(id, PENDING), results.get(id)
        streams.append(
            RunStream(
                **dict(names.named(id)),
                state="running" if verdict == PENDING and id in progress else verdict,
                # A later run may have replaced the result.
                result=names.named_result(result) if result and result.run_id == state.run.run_id else None,
            )
        )
    return streams
