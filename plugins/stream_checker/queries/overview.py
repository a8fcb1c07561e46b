"""The overview: whether the channels work, what checks have changed, and what waits for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field
from redis import Redis

from account_limiter import Limiter, LimiterUnavailable
from stream_checker.queries.dag_runs import DagStates
from stream_checker.queries.result_index import IndexedResult, ResultIndex
from stream_checker.queries.run_outcomes import RunOutcome, RunOutcomes
from stream_checker.queries.stream_names import mentioned, named_reason
from stream_tasks.schedule import zone_of
from streamflow import names
from streamflow.config import Config
from streamflow.records import Channel, ChannelChange, RunState
from streamflow.reports.late_events import LateEvent, LateEvents
from streamflow.udi.ports import Store

MAX_LISTED = 50
RECENT = timedelta(hours=24)
# The runs whose changes are read: a chain of three, and two that a person started.
MAX_RUNS = 5

Health = Literal["whole", "weak", "dark", "undecided"]


class ChannelHealth(BaseModel):
    """A channel that is dark or weak."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    name: str = Field(description="Name of the channel", examples=["Das Erste"])
    number: float | None = Field(description="Channel number")
    streams: int = Field(description="Number of its streams")
    usable: int = Field(description="Number of streams that can be watched")


class RecentChange(BaseModel):
    """A change of a channel in the last 24 hours."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    name: str = Field(description="Name of the channel", examples=["Das Erste"])
    at: datetime = Field(description="Time of the change")
    run_id: str | None = Field(description="Id of the run in Airflow")
    first_before: str | None = Field(description="Name of the first stream before; null for none")
    first_after: str | None = Field(description="Name of the first stream after; null for none")
    why: str = Field(description="Reason of the first move", examples=["dead: http_404, 2 times in a row"])
    written: bool = Field(description="Whether the change was written to the source")


class Provider(BaseModel):
    """An account with the share of its streams that work."""

    account_id: int = Field(description="Id of the account in Dispatcharr")
    name: str = Field(description="Name of the account", examples=["Provider A"])
    is_active: bool = Field(description="Whether the account is active")
    decided: int = Field(description="Number of its streams that a check has decided about")
    working: int = Field(description="Number of its streams that can be watched")
    undecided: int = Field(
        description="Number of the decided streams whose newest checks decided nothing, for example because the "
        "provider is down: their last known state is counted"
    )
    as_of: datetime | None = Field(description="Time of the oldest of these last known states; null for none")
    max_streams: int = Field(description="Configured number of connections; 0: unlimited")
    believed_limit: int | None = Field(description="Limit that the checks have learned; null while Redis is away")
    evidence: list[str] = Field(description="Why the learned limit differs from the configured one")


class Overview(BaseModel):
    """Whether the channels work, what checks have changed, and what waits for a person."""

    refreshed_at: datetime | None = Field(description="Time of the last refresh of the library; null before the first")
    refresh_failed_at: datetime | None = Field(description="End of the last refresh, if it failed")
    refresh_fault: str | None = Field(description="Reason why it failed, with what to do; null when not known")
    channels: dict[Health, int] = Field(
        description="Number of channels by health: `whole` (every stream works), `weak` (some do), `dark` (none does), "
        "`undecided` (not checked yet)"
    )
    dark: list[ChannelHealth] = Field(description="Dark channels in the order of their numbers, at most 50")
    weak: list[ChannelHealth] = Field(
        description="Weak channels, those with the fewest usable streams first, at most 50"
    )
    changes: list[RecentChange] = Field(description="Changes of the last 24 hours, newest first, at most 50")
    providers: list[Provider] = Field(description="Accounts, the one with the smallest share of working streams first")
    last_run: RunOutcome | None = Field(description="The newest run; null before the first")
    next_check: datetime | None = Field(
        description="Start of the next scheduled check; null where no schedule is active"
    )
    next_schedule: str | None = Field(description="Name of the schedule that starts it", examples=["night"])
    paused: bool = Field(description="Whether the DAG of the checks is paused, so that no scheduled check starts")
    held: list[ChannelHealth] = Field(description="Channels with streams whose removal waits for a person")
    late_events: list[LateEvent] = Field(
        description="Recordings and programmes of the last 24 hours before which there was no time for a check"
    )
    timezone: str = Field(description="Time zone of the schedules", examples=["Europe/Berlin"])
    asks_to_write: bool = Field(
        description="Whether a scheduled run has planned changes that it may not write until the owner agrees"
    )


def overview(
    store: Store,
    settings: Config,
    results: ResultIndex,
    outcomes: RunOutcomes,
    limiter: Limiter,
    airflow: DagStates,
    redis: Redis,
    refresh_fault: str | None = None,
) -> Overview:
    """Return the overview.

    :param refresh_fault: the reason why the last refresh failed.

    :raises UdiUnavailable: when the UDI cannot be read.
    """
    now = datetime.now(UTC)
    current = results.current(store)
    decided, usable, as_of = _known(current, settings.scoring.unusable_reasons)
    channels = {channel.id: channel for channel in store.library.channels()}
    health = {channel.id: _health(channel, usable, decided) for channel in channels.values()}
    dark, weak = (
        sorted((channels[id] for id, own in health.items() if own == kind), key=_by_number) for kind in ("dark", "weak")
    )
    weak.sort(key=lambda channel: len(usable.intersection(channel.stream_ids)))
    runs = outcomes.get(store, store.runs.newest(MAX_RUNS))
    states = [state for run in runs if now - run.started_at < RECENT and (state := store.runs.state(run.run_id))]
    changes = [
        change for state in states for change in state.finished_channels.values() if change.channel_id in channels
    ]
    return Overview(
        refreshed_at=store.library.refreshed_at(),
        refresh_failed_at=airflow.refresh_failed_at,
        refresh_fault=refresh_fault if airflow.refresh_failed_at else None,
        channels=_counts(health.values()),
        dark=[_listed(channel, usable) for channel in dark[:MAX_LISTED]],
        weak=[_listed(channel, usable) for channel in weak[:MAX_LISTED]],
        changes=_changes(store, channels, changes),
        providers=_providers(store, limiter, usable, decided, as_of),
        last_run=runs[0] if runs else None,
        next_check=airflow.next_check,
        next_schedule=airflow.next_schedule,
        paused=airflow.paused,
        held=[_listed(channels[id], usable) for id in dict.fromkeys(one.channel_id for one in changes if one.held)],
        late_events=LateEvents(redis).recent(),
        timezone=zone_of(redis, settings.schedule).key,
        asks_to_write=settings.safety.scheduled_write_back == "ask" and _has_planned(states),
    )


def _known(
    results: Mapping[int, IndexedResult], unusable: Collection[str]
) -> tuple[set[int], set[int], dict[int, float]]:
    """Return the decided streams, the usable ones, and the time of the last decision of those decided nothing since.

    During an outage the last known state counts, so that a provider that is down leaves no channel undecided.
    """
    decided, usable = set[int](), set[int]()
    as_of: dict[int, float] = {}
    # There are few kinds of results and many streams.
    is_usable: dict[tuple[str, str | None], bool] = {}
    for stream, one in results.items():
        if (last := one.decided) is None:
            continue
        decided.add(stream)
        kind = (last.verdict, last.reason)
        if kind not in is_usable:
            is_usable[kind] = last.is_usable(unusable)
        if is_usable[kind]:
            usable.add(stream)
        if not one.is_decided:
            as_of[stream] = last.checked_at
    return decided, usable, as_of


def _health(channel: Channel, usable: set[int], decided: set[int]) -> Health:
    own = set(channel.stream_ids)
    if not own or not own & decided:
        return "undecided"
    if not own & usable:
        return "dark" if own <= decided else "undecided"
    return "whole" if own <= usable else "weak"


def _counts(health: Iterable[Health]) -> dict[Health, int]:
    counts = Counter(health)
    return {"whole": counts["whole"], "weak": counts["weak"], "dark": counts["dark"], "undecided": counts["undecided"]}


def _listed(channel: Channel, usable: set[int]) -> ChannelHealth:
    return ChannelHealth(
        channel_id=channel.id,
        name=channel.name,
        number=channel.number,
        streams=len(channel.stream_ids),
        usable=len(usable.intersection(channel.stream_ids)),
    )


def _by_number(channel: Channel) -> tuple[bool, float, int]:
    return channel.number is None, channel.number or 0, channel.id


def _changes(store: Store, channels: Mapping[int, Channel], changes: Sequence[ChannelChange]) -> list[RecentChange]:
    moved = sorted((one for one in changes if one.moves), key=lambda one: one.at, reverse=True)[:MAX_LISTED]
    ids = {id for one in moved for id in (*one.before[:1], *one.after[:1], *mentioned(one.moves[0].why))}
    names = {stream.id: stream.name for stream in store.library.streams(ids).values()}
    return [
        RecentChange(
            channel_id=one.channel_id,
            name=channels[one.channel_id].name,
            at=one.at,
            run_id=one.run_id,
            first_before=next((names.get(stream) for stream in one.before), None),
            first_after=next((names.get(stream) for stream in one.after), None),
            why=named_reason(one.moves[0].why, names),
            written=one.written,
        )
        for one in moved
    ]


def _providers(
    store: Store, limiter: Limiter, usable: set[int], decided: set[int], as_of: Mapping[int, float]
) -> list[Provider]:
    try:
        uses = {one.account_id: one for one in limiter.snapshot().accounts}
    except LimiterUnavailable:
        uses = {}
    found = []
    for account in store.library.accounts():
        streams, use = set(store.library.streams_of_account(account.id)), uses.get(account.id)
        found.append(
            Provider(
                account_id=account.id,
                name=account.name,
                is_active=account.is_active,
                decided=len(streams & decided),
                working=len(streams & usable),
                undecided=len(streams & as_of.keys()),
                as_of=min((datetime.fromtimestamp(as_of[one], UTC) for one in streams & as_of.keys()), default=None),
                max_streams=account.max_streams,
                believed_limit=use.believed_limit if use else None,
                evidence=list(use.evidence) if use else [],
            )
        )
    return sorted(found, key=lambda one: (one.working / one.decided if one.decided else 2, one.name))


def _has_planned(states: Iterable[RunState]) -> bool:
    return any(
        state.run.run_id.startswith(names.SCHEDULED_RUN)
        and any(change.moves and not change.written for change in state.finished_channels.values())
        for state in states
    )
