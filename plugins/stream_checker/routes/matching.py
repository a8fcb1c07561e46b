"""``/matching``: proposals of streams for channels, decisions about them, and rules that are tried."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from stream_checker.http import cursors
from stream_checker.http.access import EditingUser, Editor, Reader
from stream_checker.http.parameters import MAX_ID, Cursor, PageLimit
from stream_checker.http.problems import Fault, Problem, responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.dag_runs import start_check
from stream_checker.queries.proposals import (
    FreeGroup,
    LackingChannel,
    Proposal,
    RuleTest,
    assigned_streams,
    free_groups,
    lacking,
    proposals,
    tested,
)
from stream_checker.queries.stream_names import NamedStream, StreamNames
from stream_checker.resources import OpenRedis, OpenStore
from stream_checker.routes.stored_settings import with_section
from streamflow import shared_settings, sources
from streamflow.lineup import changes, provider_failures
from streamflow.lineup.addition import Addition
from streamflow.lineup.decisions import Pair, decide, decisions
from streamflow.records import Decision
from streamflow.records.decision import DecisionState

router = APIRouter(prefix="/matching", tags=["channels"])

SECTION = "matching"
MAX_DECISIONS = 500
MAX_LACKING = 500


class FailedProvider(BaseModel):
    """A provider that Dispatcharr could not refresh."""

    account_id: int = Field(description="Id of the account in Dispatcharr")
    name: str | None = Field(description="Name of the account", examples=["Provider A"])
    reason: str = Field(description="Reason of the failure")


class MatchingState(BaseModel):
    """The state of matching."""

    enabled: bool = Field(description="Whether a search follows each refresh of the library")
    approve: bool = Field(description="Whether a person is asked before a channel changes")
    decisions: dict[DecisionState, int] = Field(description="Number of pairs of a channel and a stream by decision")
    failed_providers: list[FailedProvider] = Field(description="Providers that the last search could not refresh")


class ProposalList(BaseModel):
    """Pairs of a channel and a stream."""

    proposals: list[Proposal] = Field(description="The first pairs in the order of the channels' names")
    total: int = Field(description="Number of all pairs in these states")


class DecidedPair(BaseModel):
    """A channel and a stream."""

    channel_id: int = Field(ge=0, le=MAX_ID, description="Id of the channel in Dispatcharr", examples=[1])
    stream_id: int = Field(ge=0, le=MAX_ID, description="Id of the stream in Dispatcharr", examples=[12])


class Decisions(BaseModel):
    """Proposals that a person accepts, and others that the person rejects."""

    accept: Annotated[list[DecidedPair], Field(max_length=MAX_DECISIONS)] = Field(
        [], description="Streams to add to their channels at once"
    )
    reject: Annotated[list[DecidedPair], Field(max_length=MAX_DECISIONS)] = Field(
        [], description="Streams that never come into these channels by themselves"
    )


class DecisionOutcome(BaseModel):
    """The outcome of decisions."""

    added: list[int] = Field(description="Ids of the streams that were added to a channel")
    rejected: int = Field(description="Number of rejected pairs")
    conflicts: dict[int, str] = Field(description="Reasons, by channel, why its streams were not added")
    run_id: str | None = Field(description="Id of the run that checks the added streams; null for none")


class TriedRules(BaseModel):
    """Rules to try."""

    rules: Any = Field(
        description="The proposed list of rules", examples=[[{"channels": ["Das Erste"], "by": ["tvg_id", "name"]}]]
    )


class LackingChannels(BaseModel):
    """Channels without a stream that can be watched."""

    channels: list[LackingChannel] = Field(description="Channels in the order of their numbers, at most 500")
    total: int = Field(description="Number of all such channels")


class FreeGroups(BaseModel):
    """Groups with streams that are in no channel."""

    groups: list[FreeGroup] = Field(description="Groups, those with the most such streams first")
    streams: int = Field(description="Number of all such streams in groups")


class FreeStreams(BaseModel):
    """One page of the streams of a group that are in no channel."""

    streams: list[NamedStream] = Field(description="Streams in the order of their ids")
    total: int = Field(description="Number of these streams on all pages")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last")


States = Annotated[
    list[DecisionState], Query(max_length=4, description="Decisions to list; `proposed` awaits a person")
]


@router.get("", dependencies=[Reader], responses=responses(401, 403, 503))
def get_matching(store: OpenStore, redis: OpenRedis) -> MatchingState:
    """Return whether streams find channels by themselves, and how many proposals wait."""
    settings, counts = shared_settings.load(redis).matching, dict.fromkeys(_STATES, 0)
    for decision in decisions(store).values():
        counts[decision.state] += 1
    names = {account.id: account.name for account in store.library.accounts()}
    failed = provider_failures.present(redis)
    return MatchingState(
        enabled=settings.enabled,
        approve=settings.approve,
        decisions=counts,
        failed_providers=[
            FailedProvider(account_id=id, name=names.get(id), reason=reason) for id, reason in sorted(failed.items())
        ],
    )


_STATES: tuple[DecisionState, ...] = ("proposed", "added", "rejected", "taken_out")


@router.get("/proposals", dependencies=[Reader], responses=responses(401, 403, 422, 503))
def list_proposals(
    store: OpenStore,
    state: States = ["proposed"],  # noqa: B006 - never changed
    channel_id: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Only streams for this channel")] = None,
    limit: PageLimit = 200,
) -> ProposalList:
    """Return the streams that are proposed for channels, or that a person decided about."""
    listed, total = proposals(store, state, channel_id, limit)
    return ProposalList(proposals=listed, total=total)


@router.post("/decisions", responses=responses(401, 403, 404, 409, 413, 422, 502, 503))
def decide_proposals(wanted: Decisions, store: OpenStore, redis: OpenRedis, user: EditingUser) -> DecisionOutcome:
    """Add accepted streams behind those of their channels and check them, and reject others for good.

    A rejected stream, or one that was taken out, may be accepted later.
    """
    accepted = {(one.channel_id, one.stream_id) for one in wanted.accept}
    rejected = {(one.channel_id, one.stream_id) for one in wanted.reject}
    if accepted & rejected:
        raise Problem(
            422, "A stream is accepted and rejected.", errors=[Fault(field="reject", message="also accepted")]
        )
    known = decisions(store)
    _must_be_known(known, accepted | rejected)
    now = datetime.now(UTC)
    applied = changes.Applied(frozenset(), {})
    if accepted:
        with sources.opened(redis=redis) as source:
            destination = source.destination(store)
            if not isinstance(destination, sources.ChannelEditor):
                raise Problem(409, f"{source.name} keeps no channels that could get other streams.")
            additions = [
                Addition(channel_id=channel, stream_id=stream, why=known[channel, stream].why or "accepted by a person")
                for channel, stream in sorted(accepted)
            ]
            applied = changes.apply(store, destination, additions, None)
    open_pairs = {pair for pair in rejected if known[pair].state != "added"}
    decide(store, {pair: Decision(state="rejected", at=now, why=known[pair].why) for pair in open_pairs})
    run_id = start_check({"stream_ids": sorted(applied.added), "force": True}, user)[0] if applied.added else None
    return DecisionOutcome(
        added=sorted(applied.added), rejected=len(open_pairs), conflicts=applied.conflicts, run_id=run_id
    )


def _must_be_known(known: dict[Pair, Decision], pairs: set[Pair]) -> None:
    for channel, stream in sorted(pairs):
        if (channel, stream) not in known:
            raise Problem(404, f"Stream {stream} is no proposal for channel {channel} any more.")


@router.post("/test", dependencies=[Editor, at_most(1)], responses=responses(401, 403, 413, 422, 429, 503))
def test_rules(
    tried: TriedRules,
    store: OpenStore,
    redis: OpenRedis,
    limit: Annotated[int, Query(ge=1, le=500, description="Number of streams of each kind to list")] = 100,
) -> RuleTest:
    """Return which streams rules would match, and which nearly, with the reasons. Nothing is changed."""
    settings = with_section(shared_settings.load(redis), SECTION, {"rules": tried.rules}, below="")
    return tested(store, settings.matching.rules, limit)


@router.get("/channels", dependencies=[Reader], responses=responses(401, 403, 503))
def list_lacking_channels(store: OpenStore, redis: OpenRedis) -> LackingChannels:
    """Return the channels without a stream that can be watched, and the hidden ones."""
    found = lacking(store, shared_settings.load(redis))
    return LackingChannels(channels=found[:MAX_LACKING], total=len(found))


@router.get("/groups", dependencies=[Reader, at_most(2)], responses=responses(401, 403, 429, 503))
def list_free_groups(store: OpenStore) -> FreeGroups:
    """Return the groups with streams that are in no channel."""
    groups = free_groups(store)
    return FreeGroups(groups=groups, streams=sum(group.streams for group in groups))


@router.get("/streams", dependencies=[Reader], responses=responses(401, 403, 422, 503))
def list_free_streams(
    store: OpenStore,
    group_id: Annotated[int, Query(ge=0, le=MAX_ID, description="Id of the group")],
    limit: PageLimit = 100,
    cursor: Cursor = None,
) -> FreeStreams:
    """Return the streams of a group that are in no channel."""
    free = set(store.library.streams_of_group(group_id)) - assigned_streams(store)
    ids, next_cursor = cursors.page(free, cursor, limit)
    names = StreamNames(store, ids)
    return FreeStreams(streams=[names.named(id) for id in ids], total=len(free), next_cursor=next_cursor)
