"""Matching for the page: proposals, tested rules, and channels and streams that have not found each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from stream_checker.queries.stream_names import NamedResult, NamedStream, StreamNames
from streamflow.config import Config
from streamflow.lineup.decisions import decisions
from streamflow.lineup.offer import Offer
from streamflow.matching.decision import Candidate
from streamflow.matching.rule import Rule
from streamflow.records import Channel
from streamflow.records.decision import DecisionState
from streamflow.udi.ports import Store

Lack = Literal["empty", "dark", "hidden"]


class Proposal(NamedStream):
    """A stream as a candidate of a channel, and what is decided about it."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    channel: str | None = Field(description="Name of the channel", examples=["Das Erste"])
    state: DecisionState = Field(description="`proposed`, `added`, `rejected` or `taken_out`")
    at: datetime = Field(description="Time of the decision")
    why: str = Field(description="Reason of the proposal", examples=["the name fits: 'daserste'"])
    asked: bool = Field(description="Whether the question also waits in Airflow's required actions")
    result: NamedResult | None = Field(description="Latest result; null before the first check")


class TestedStream(NamedStream):
    """A stream that fits a channel by the tested rules, or nearly fits it."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    channel: str = Field(description="Name of the channel", examples=["Das Erste"])
    why: str = Field(description="Why it fits, or why it only nearly fits")


class RuleTest(BaseModel):
    """The outcome of rules for the streams that are in no channel."""

    matches: list[TestedStream] = Field(description="Streams that fit a channel, as many as asked for")
    nearly: list[TestedStream] = Field(description="Streams that nearly fit a channel, as many as asked for")
    matched: int = Field(description="Number of all that fit")
    near: int = Field(description="Number of all that nearly fit")
    others: int = Field(description="Number of streams that resemble no channel")


class LackingChannel(BaseModel):
    """A channel without a stream that can be watched."""

    id: int = Field(description="Id of the channel in Dispatcharr")
    name: str = Field(description="Name of the channel", examples=["Das Erste"])
    number: float | None = Field(description="Channel number")
    streams: int = Field(description="Number of its streams")
    proposals: int = Field(description="Number of proposed streams")
    lack: Lack = Field(
        description="`empty` (no stream), `dark` (every stream is dead or unusable) or `hidden` (left out of outputs)"
    )


class FreeGroup(BaseModel):
    """A group with streams that are in no channel."""

    id: int = Field(description="Id of the group in Dispatcharr")
    name: str = Field(description="Name of the group", examples=["News"])
    streams: int = Field(description="Number of its streams that are in no channel")


def proposals(
    store: Store, states: Sequence[DecisionState], channel_id: int | None, limit: int
) -> tuple[list[Proposal], int]:
    """Return decisions in these states, those of one channel together, and the number of all of them."""
    chosen = {
        pair: one for pair, one in decisions(store).items() if one.state in states and channel_id in (None, pair[0])
    }
    channels = {channel.id: channel.name for channel in store.library.channels({channel for channel, _ in chosen})}
    ordered = sorted(chosen, key=lambda pair: (channels.get(pair[0], "").casefold(), pair))[:limit]
    ids = {stream for _, stream in ordered}
    names, results = StreamNames(store, ids), store.results.latest_of(ids)
    listed = [
        Proposal(
            **dict(names.named(stream)),
            channel_id=channel,
            channel=channels.get(channel),
            state=chosen[channel, stream].state,
            at=chosen[channel, stream].at,
            why=chosen[channel, stream].why,
            asked=chosen[channel, stream].asked_by is not None,
            result=names.named_result(results[stream]) if stream in results else None,
        )
        for channel, stream in ordered
    ]
    return listed, len(chosen)


def tested(store: Store, rules: Sequence[Rule], limit: int) -> RuleTest:
    """Return what rules find, without any change."""
    offer = Offer.read(store.library)
    found: dict[bool, list[TestedStream]] = {True: [], False: []}
    counts = {True: 0, False: 0}
    others = 0
    for outcome in offer.outcomes(rules):
        if outcome.channel_id is None:
            others += 1
            continue
        fits = isinstance(outcome, Candidate)
        counts[fits] += 1
        if len(found[fits]) < limit:
            stream = offer.streams[outcome.stream_id]
            found[fits].append(
                TestedStream(
                    stream_id=stream.id,
                    name=stream.name,
                    account_id=stream.account_id,
                    account=offer.account_name(stream),
                    channel_id=outcome.channel_id,
                    channel=offer.channels[outcome.channel_id].name,
                    why=outcome.evidence if isinstance(outcome, Candidate) else outcome.reason,
                )
            )
    return RuleTest(matches=found[True], nearly=found[False], matched=counts[True], near=counts[False], others=others)


def lacking(store: Store, settings: Config) -> list[LackingChannel]:
    """Return the channels without a stream that can be watched, in the order of their numbers."""
    channels = store.library.channels()
    dead = set(store.results.streams_of_verdict("dead"))
    degraded = set(store.results.streams_of_verdict("degraded"))
    unusable = settings.scoring.unusable_reasons
    # A channel with a stream that is neither dead nor degraded is not dark.
    suspects = [one for one in channels if one.stream_ids and not set(one.stream_ids) - dead - degraded]
    results = store.results.latest_of({stream for one in suspects for stream in one.stream_ids if stream in degraded})
    poor = dead | {id for id, result in results.items() if result.reason in unusable}
    proposed: dict[int, int] = {}
    for (channel, _), decision in decisions(store).items():
        proposed[channel] = proposed.get(channel, 0) + (decision.state == "proposed")
    listed = [
        LackingChannel(
            **channel.model_dump(include={"id", "name", "number"}),
            streams=len(channel.stream_ids),
            proposals=proposed.get(channel.id, 0),
            lack=lack,
        )
        for channel in channels
        if (lack := _lack(channel, poor))
    ]
    return sorted(listed, key=lambda one: (one.number is None, one.number or 0, one.id))


def _lack(channel: Channel, poor: set[int]) -> Lack | None:
    if channel.is_hidden:
        return "hidden"
    if not channel.stream_ids:
        return "empty"
    return "dark" if poor.issuperset(channel.stream_ids) else None


def free_groups(store: Store) -> list[FreeGroup]:
    """Return the groups with streams that are in no channel, those with the most first."""
    assigned = assigned_streams(store)
    counted = (
        FreeGroup(id=group.id, name=group.name, streams=_free(store.library.streams_of_group(group.id), assigned))
        for group in store.library.groups()
    )
    return sorted((one for one in counted if one.streams), key=lambda one: (-one.streams, one.name.casefold()))


def assigned_streams(store: Store) -> set[int]:
    """Return the streams that are in a channel."""
    return {stream for channel in store.library.channels() for stream in channel.stream_ids}


def _free(streams: Iterable[int], assigned: set[int]) -> int:
    return len(set(streams) - assigned)
