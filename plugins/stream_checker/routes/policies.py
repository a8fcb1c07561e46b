"""``/policies``: the owner's rules for channels, and their effect before they are stored."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field
from redis import Redis

from stream_checker.http import cursors
from stream_checker.http.access import EditingUser, Editor, Reader
from stream_checker.http.parameters import MAX_ID, Cursor
from stream_checker.http.problems import Problem, responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.policy_preview import (
    NightTotals,
    PolicyEffects,
    PolicyUse,
    PreviewedChannel,
    ReplayedNight,
    replayed_nights,
    sum_of,
)
from stream_checker.queries.stream_names import StreamNames
from stream_checker.resources import OpenLimiter, OpenRedis, OpenStore
from stream_checker.routes.stored_settings import change_section, with_section
from streamflow import shared_settings
from streamflow.config import Config
from streamflow.policies.policy import Policy
from streamflow.records import Channel
from streamflow.udi.ports import Store

router = APIRouter(prefix="/policies", tags=["policies"])

SECTION = "policies"
# A replay of one channel with ten streams takes about 50 ms.
MAX_REPLAYED = 200
EXAMPLE = [{"name": "Sports", "match": {"groups": ["UK | Sports*"]}, "order": "quality", "max_streams": 6}]
ChannelIds = Annotated[list[Annotated[int, Field(ge=0, le=MAX_ID)]], Field(max_length=1000)]


class PolicyList(BaseModel):
    """The policies, and the number of channels that each applies to."""

    policies: list[Policy] = Field(description="Policies; the first one that fits a channel applies to it")
    uses: list[PolicyUse] = Field(description="Number of channels of each policy, in the same order")


class Proposal(BaseModel):
    """Policies whose effect is wanted."""

    policies: Any = Field(description="The proposed list of policies", examples=[EXAMPLE])
    channel_ids: ChannelIds | None = Field(None, description="Only these channels; null for all", examples=[[1, 2]])


class Preview(BaseModel):
    """One page of channels, with their present orders and the new ones."""

    channels: list[PreviewedChannel] = Field(description="Channels in the order of their ids")
    total: int = Field(description="Number of channels on all pages")
    uses: list[PolicyUse] = Field(description="Number of channels of each proposed policy")
    names: dict[int, str] = Field(description="Names by stream id of all streams that occur in this document")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last")


class Replay(BaseModel):
    """The nights of the stored history by the stored policies and by the proposed ones."""

    channels: int = Field(description="Number of channels that were replayed")
    total: int = Field(description="Number of channels that were asked for; the first ones are replayed")
    nights: list[ReplayedNight] = Field(description="Figures of each night, the oldest first")
    before: NightTotals = Field(description="Figures of all nights by the stored policies")
    after: NightTotals = Field(description="Figures of all nights by the proposed policies")


@router.get("", dependencies=[Reader], responses=responses(401, 403, 503))
def get_policies(store: OpenStore, redis: OpenRedis) -> PolicyList:
    """Return the policies, and how many channels each applies to."""
    return _listed(store, shared_settings.load(redis))


@router.put("", responses=responses(401, 403, 413, 422, 503))
def replace_policies(
    body: Annotated[
        Any,
        Body(description="The new list, also as the field `policies` of an object", examples=[{"policies": EXAMPLE}]),
    ],
    store: OpenStore,
    redis: OpenRedis,
    limiter: OpenLimiter,
    user: EditingUser,
) -> PolicyList:
    """Replace all policies. The change is in force from the next check on."""
    policies = body.get(SECTION, body) if isinstance(body, dict) else body
    return _listed(store, change_section(redis, SECTION, policies, limiter, user, below=f"{SECTION}."))


@router.post(
    "/preview",
    dependencies=[Editor, at_most(2)],
    responses=responses(401, 403, 404, 413, 422, 429, 503),
)
def preview_policies(
    proposal: Proposal,
    store: OpenStore,
    redis: OpenRedis,
    limit: Annotated[int, Query(ge=1, le=200, description="Number of channels on the page")] = 100,
    cursor: Cursor = None,
) -> Preview:
    """Return today's order of channels and the one by the proposed policies, from stored results."""
    _, proposed, asked = _read(store, redis, proposal)
    effects, listed = PolicyEffects(store, proposed), {channel.id: channel for channel in asked}
    ids, next_cursor = cursors.page(set(listed), cursor, limit)
    channels = effects.preview(listed[id] for id in ids)
    mentioned = {stream for one in channels for stream in (*one.before, *one.after)}
    names = StreamNames(store, mentioned)
    return Preview(
        channels=channels,
        total=len(listed),
        uses=effects.uses(store.library.channels()),
        names={id: name for id in mentioned if (name := names.name(id))},
        next_cursor=next_cursor,
    )


@router.post(
    "/replay",
    dependencies=[Editor, at_most(1)],
    responses=responses(401, 403, 404, 413, 422, 429, 503),
)
def replay_policies(
    proposal: Proposal,
    store: OpenStore,
    redis: OpenRedis,
    nights: Annotated[int, Query(ge=1, le=50, description="Number of nights")] = 30,
    limit: Annotated[int, Query(ge=1, le=MAX_REPLAYED, description="Most channels to replay")] = 50,
) -> Replay:
    """Replay the stored nights: moves, and channels whose first stream was dead, before and after."""
    stored, proposed, asked = _read(store, redis, proposal)
    found = replayed_nights(store, asked[:limit], stored, proposed, nights)
    return Replay(
        channels=min(len(asked), limit),
        total=len(asked),
        nights=found,
        before=sum_of(night.before for night in found),
        after=sum_of(night.after for night in found),
    )


def _listed(store: Store, settings: Config) -> PolicyList:
    uses = PolicyEffects(store, settings).uses(store.library.channels()) if settings.policies else []
    return PolicyList(policies=list(settings.policies), uses=uses)


def _read(store: Store, redis: Redis, proposal: Proposal) -> tuple[Config, Config, list[Channel]]:
    """Return the stored settings, the proposed ones, and the channels of a proposal in the order of their ids.

    :raises Problem: 422 for policies that are not valid; 404 for a channel that does not exist.
    """
    stored = shared_settings.load(redis)
    proposed = with_section(stored, SECTION, proposal.policies, below=f"{SECTION}.")
    channels = store.library.channels(proposal.channel_ids)
    missing = set(proposal.channel_ids or ()) - {channel.id for channel in channels}
    if missing:
        raise Problem(404, f"Channel {min(missing)} does not exist.")
    return stored, proposed, channels
