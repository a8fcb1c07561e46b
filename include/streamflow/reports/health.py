"""The health report of a run: how much works in each group and account, and what an operator should look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import BaseModel, Field

from streamflow.records import Channel, Result, Run, RunState, Stream
from streamflow.udi.ports import Store

WORKING = ("ok", "degraded")
MOST_LISTED = 100


class Share(BaseModel):
    """A group's or an account's streams that the run decided: ``unknown`` and ``skipped`` are not among ``decided``."""

    id: int | None
    name: str
    streams: int
    decided: int
    working: int
    verdicts: dict[str, int]
    share_working: float | None = Field(description="null when nothing was decided", examples=[0.9])


class WeakChannel(BaseModel):
    """A channel whose streams do not all work; one of which nothing is decided is left out."""

    channel_id: int
    name: str
    streams: int
    working: int
    best_score: float | None


class Mislabelled(BaseModel):
    """A stream whose name promises what was not measured."""

    stream_id: int
    name: str
    account: str | None
    label_mismatch: str


class Duplicate(BaseModel):
    """One URL that several streams have, and the channels that they are in."""

    url_hash: str
    stream_ids: list[int]
    name: str
    channel_ids: list[int]


class HealthReport(BaseModel):
    """Each list holds the worst first, at most 100; ``mislabelled`` and ``duplicates`` are of the run's streams."""

    run_id: str
    started_at: datetime
    finished_at: datetime | None
    total: Share
    accounts: list[Share]
    groups: list[Share]
    worst_channels: list[WeakChannel]
    mislabelled: list[Mislabelled]
    duplicates: list[Duplicate]


def report(store: Store, state: RunState) -> HealthReport:
    """The report of a run, finished or not. Raises UdiUnavailable."""
    run = state.run
    verdicts = _verdicts(state)
    streams = store.library.streams(verdicts)
    results = {id: result for id, result in store.results.latest_of(verdicts).items() if result.run_id == run.run_id}
    channels = store.library.channels(run.channels)
    accounts = {account.id: account.name for account in store.library.accounts()}
    groups = {group.id: group.name for group in store.library.groups()}
    return HealthReport(
        run_id=run.run_id,
        started_at=run.started_at,
        finished_at=state.finished_at,
        total=_share(None, "all streams", verdicts.values()),
        accounts=_shares(verdicts, {id: stream.account_id for id, stream in streams.items()}, accounts),
        groups=_shares(verdicts, {id: stream.group_id for id, stream in streams.items()}, groups),
        worst_channels=_worst(
            channels, store.results.latest_of({id for channel in channels for id in channel.stream_ids})
        ),
        mislabelled=_mislabelled(results, streams, accounts),
        duplicates=_duplicates(store, streams),
    )


def _verdicts(state: RunState) -> dict[int, str]:
    """The verdict of each stream of the run; twins have that of the stream they were checked with."""
    return {**state.streams, **{twin: state.streams[id] for id, twins in _twins(state.run) for twin in twins}}


def _twins(run: Run) -> Iterable[tuple[int, tuple[int, ...]]]:
    return ((id, twins) for id, twins in run.twins.items() if id in run.stream_ids)


def _shares(verdicts: Mapping[int, str], belongs: Mapping[int, int | None], names: Mapping[int, str]) -> list[Share]:
    parts: dict[int | None, list[str]] = {}
    for id, verdict in verdicts.items():
        parts.setdefault(belongs.get(id), []).append(verdict)
    shares = [_share(id, names.get(id, f"{id}") if id is not None else "none", of) for id, of in parts.items()]
    return sorted(shares, key=lambda share: (share.share_working is None, share.share_working or 0, share.name))


def _share(id: int | None, name: str, verdicts: Iterable[str]) -> Share:
    counts = Counter(verdicts)
    working = sum(counts[verdict] for verdict in WORKING)
    decided = working + counts["dead"]
    return Share(
        id=id,
        name=name,
        streams=counts.total(),
        decided=decided,
        working=working,
        verdicts=dict(counts),
        share_working=round(working / decided, 4) if decided else None,
    )


def _worst(channels: Iterable[Channel], results: Mapping[int, Result]) -> list[WeakChannel]:
    found = []
    for channel in channels:
        known = [results[id] for id in channel.stream_ids if id in results]
        working = sum(result.verdict in WORKING for result in known)
        if working == len(channel.stream_ids) or not any(result.verdict in (*WORKING, "dead") for result in known):
            continue
        scores = [result.score for result in known if result.score is not None]
        found.append(
            WeakChannel(
                channel_id=channel.id,
                name=channel.name,
                streams=len(channel.stream_ids),
                working=working,
                best_score=max(scores, default=None),
            )
        )
    found.sort(key=lambda one: (one.working > 0, one.best_score or 0, one.channel_id))
    return found[:MOST_LISTED]


def _mislabelled(
    results: Mapping[int, Result], streams: Mapping[int, Stream], accounts: Mapping[int, str]
) -> list[Mislabelled]:
    found = [
        Mislabelled(
            stream_id=id,
            name=streams[id].name,
            account=accounts.get(streams[id].account_id or 0),
            label_mismatch=result.label_mismatch,
        )
        for id, result in sorted(results.items())
        if result.label_mismatch and id in streams
    ]
    return found[:MOST_LISTED]


def _duplicates(store: Store, streams: Mapping[int, Stream]) -> list[Duplicate]:
    # The index by URL knows the streams that were not of this run too.
    hashes = {stream.url_hash: stream.name for stream in streams.values() if stream.url}
    found = []
    for url_hash, name in hashes.items():
        ids = sorted(store.library.streams_of_url(url_hash))
        if len(ids) > 1:
            channels = sorted({channel for id in ids for channel in store.library.channels_of_stream(id)})
            found.append(Duplicate(url_hash=url_hash, stream_ids=ids, name=name, channel_ids=channels))
    found.sort(key=lambda one: (-len(one.stream_ids), one.stream_ids))
    return found[:MOST_LISTED]
