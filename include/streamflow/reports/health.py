"""The health report of a run: the share of working streams by group and account, and the streams to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from pydantic import BaseModel, Field

from streamflow.records import DECIDED, WORKING, Channel, Result, Run, RunState, Stream
from streamflow.udi.ports import Store

MOST_LISTED = 100


class Share(BaseModel):
    """The streams of a group or an account in the run; ``unknown`` and ``skipped`` ones do not count as ``decided``."""

    id: int | None = Field(description="Id of the account or group; null for all and for streams without one")
    name: str = Field(description="Name of the account or group")
    streams: int = Field(description="Number of its streams in the run")
    decided: int = Field(description="Number of streams with a verdict about the stream")
    working: int = Field(description="Number of streams that can be watched")
    verdicts: dict[str, int] = Field(description="Number of streams by verdict")
    share_working: float | None = Field(description="null when nothing was decided", examples=[0.9])


class WeakChannel(BaseModel):
    """A channel with a stream that does not work; a channel without any decided stream is left out."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    name: str = Field(description="Name of the channel")
    streams: int = Field(description="Number of its streams")
    working: int = Field(description="Number of streams that can be watched")
    best_score: float | None = Field(description="Highest score of its streams")


class Mislabelled(BaseModel):
    """A stream whose name promises more than was measured."""

    stream_id: int = Field(description="Id of the stream in Dispatcharr")
    name: str = Field(description="Name of the stream")
    account: str | None = Field(description="Name of its account")
    label_mismatch: str = Field(description="Difference between the name and the measurement")


class Duplicate(BaseModel):
    """Several streams with the same URL, and the channels that hold them."""

    url_hash: str = Field(description="SHA-256 of the URL in hexadecimal digits")
    stream_ids: list[int] = Field(description="Ids of the streams with this URL")
    name: str = Field(description="Name of one of the streams")
    channel_ids: list[int] = Field(description="Ids of the channels that contain one of them")


class HealthReport(BaseModel):
    """The report of one run. Each list holds at most 100 entries, the worst first."""

    run_id: str = Field(description="Id of the run in Airflow")
    started_at: datetime = Field(description="Start of the run")
    finished_at: datetime | None = Field(description="End of the run; null while it runs")
    total: Share = Field(description="All streams of the run")
    accounts: list[Share] = Field(description="Shares by account, worst first")
    groups: list[Share] = Field(description="Shares by group, worst first")
    worst_channels: list[WeakChannel] = Field(description="Channels with the fewest working streams")
    mislabelled: list[Mislabelled] = Field(description="Streams whose names promise other properties than measured")
    duplicates: list[Duplicate] = Field(description="URLs that several streams have")


def report(store: Store, state: RunState, unusable: Collection[str] = ()) -> HealthReport:
    """Return the report of a run, finished or not.

    :param unusable: the reasons for which a degraded stream cannot be watched.
    :raises UdiUnavailable: the store cannot be read.
    """
    run = state.run
    verdicts = _verdicts(state)
    streams = store.library.streams(verdicts)
    results = {id: result for id, result in store.results.latest_of(verdicts).items() if result.run_id == run.run_id}
    hidden = {id for id, result in results.items() if result.reason in unusable}
    outcomes = {id: (verdict, verdict in WORKING and id not in hidden) for id, verdict in verdicts.items()}
    channels = store.library.channels(run.channels)
    accounts = {account.id: account.name for account in store.library.accounts()}
    groups = {group.id: group.name for group in store.library.groups()}
    return HealthReport(
        run_id=run.run_id,
        started_at=run.started_at,
        finished_at=state.finished_at,
        total=_share(None, "all streams", outcomes.values()),
        accounts=_shares(outcomes, {id: stream.account_id for id, stream in streams.items()}, accounts),
        groups=_shares(outcomes, {id: stream.group_id for id, stream in streams.items()}, groups),
        worst_channels=_worst(
            channels, store.results.latest_of({id for channel in channels for id in channel.stream_ids}), unusable
        ),
        mislabelled=mislabelled(results, streams, accounts),
        duplicates=_duplicates(store, streams),
    )


def _verdicts(state: RunState) -> dict[int, str]:
    """Return the verdict of each stream of the run; a twin has the verdict of the stream that was probed for it."""
    return {**state.streams, **{twin: state.streams[id] for id, twins in _twins(state.run) for twin in twins}}


def _twins(run: Run) -> Iterable[tuple[int, tuple[int, ...]]]:
    return ((id, twins) for id, twins in run.twins.items() if id in run.stream_ids)


def _shares(
    outcomes: Mapping[int, tuple[str, bool]], owners: Mapping[int, int | None], names: Mapping[int, str]
) -> list[Share]:
    """Return the share of each owner (an account or a group) of streams, the worst first."""
    by_owner: dict[int | None, list[tuple[str, bool]]] = {}
    for id, outcome in outcomes.items():
        by_owner.setdefault(owners.get(id), []).append(outcome)
    shares = [
        _share(owner, names.get(owner, f"{owner}") if owner is not None else "none", own)
        for owner, own in by_owner.items()
    ]
    return sorted(shares, key=lambda share: (share.share_working is None, share.share_working or 0, share.name))


def _share(id: int | None, name: str, outcomes: Collection[tuple[str, bool]]) -> Share:
    """Return the share of streams by their outcomes: verdict, and whether the stream can be watched."""
    counts = Counter(verdict for verdict, _ in outcomes)
    working = sum(is_usable for _, is_usable in outcomes)
    decided = sum(counts[verdict] for verdict in DECIDED)
    return Share(
        id=id,
        name=name,
        streams=counts.total(),
        decided=decided,
        working=working,
        verdicts=dict(counts),
        share_working=round(working / decided, 4) if decided else None,
    )


def _worst(channels: Iterable[Channel], results: Mapping[int, Result], unusable: Collection[str]) -> list[WeakChannel]:
    weak = []
    for channel in channels:
        checked = [results[id] for id in channel.stream_ids if id in results]
        working = sum(result.is_usable(unusable) for result in checked)
        if working == len(channel.stream_ids) or not any(result.verdict in DECIDED for result in checked):
            continue
        scores = [result.score for result in checked if result.score is not None]
        weak.append(
            WeakChannel(
                channel_id=channel.id,
                name=channel.name,
                streams=len(channel.stream_ids),
                working=working,
                best_score=max(scores, default=None),
            )
        )
    weak.sort(key=lambda one: (one.working > 0, one.best_score or 0, one.channel_id))
    return weak[:MOST_LISTED]


def mislabelled(
    results: Mapping[int, Result], streams: Mapping[int, Stream], accounts: Mapping[int, str]
) -> list[Mislabelled]:
    """Return the streams whose names promise more than was measured, in the order of their ids."""
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
    # The index by URL includes streams outside of this run.
    hashes = {stream.url_hash: stream.name for stream in streams.values() if stream.url}
    duplicates = []
    for url_hash, ids in store.library.streams_of_urls(hashes).items():
        if len(ids) > 1:
            channels = sorted({channel for id in ids for channel in store.library.channels_of_stream(id)})
            duplicates.append(Duplicate(url_hash=url_hash, stream_ids=ids, name=hashes[url_hash], channel_ids=channels))
    duplicates.sort(key=lambda one: (-len(one.stream_ids), one.stream_ids))
    return duplicates[:MOST_LISTED]
