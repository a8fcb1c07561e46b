"""``/channels``: the streams of a channel in order, with their scores, and the last change of a check."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from stream_checker.http import cursors
from stream_checker.http.access import EditingUser, Reader
from stream_checker.http.parameters import MAX_ID, ChannelId, Cursor, GroupFilter, NameFilter, PageLimit
from stream_checker.http.problems import Problem, responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.dispatcharr_address import channels_page
from stream_checker.queries.policy_preview import label
from stream_checker.queries.result_index import IndexedResult
from stream_checker.queries.stream_names import NamedResult, NamedStream, StreamNames, named_change
from stream_checker.resources import OpenLimiter, OpenNameIndex, OpenRedis, OpenResultIndex, OpenStore
from stream_checker.routes import stored_settings
from streamflow import config, shared_settings, sources, thumbnails
from streamflow.config import Config
from streamflow.feeds import Sampled, compare
from streamflow.ordering.undo import undo
from streamflow.picture_prints import prints_of
from streamflow.policies.fitting import pinned, place_of, policy_of
from streamflow.policies.pins import with_pin
from streamflow.records import Channel, ChannelChange, Result
from streamflow.udi.ports import Store

router = APIRouter(prefix="/channels", tags=["channels"], dependencies=[Reader])

# The store keeps this number of changes of each channel.
MAX_POSITION = 50


class ListedChannel(BaseModel):
    """A channel, with the number of its streams that work."""

    id: int = Field(description="Id of the channel in Dispatcharr")
    name: str = Field(description="Name of the channel", examples=["Das Erste"])
    number: float | None = Field(description="Channel number")
    group_id: int | None = Field(description="Id of the channel's group")
    streams: int = Field(description="Number of its streams")
    checked: int = Field(description="Number of its streams that have a result")
    working: int = Field(
        description="Number of its streams that can be watched: `ok`, or degraded, but for none of the reasons in "
        "`scoring.unusable_reasons`"
    )


class ChannelPage(BaseModel):
    """One page of channels."""

    channels: list[ListedChannel] = Field(description="Channels in the order of their ids")
    total: int = Field(description="Number of channels that match the filters")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last")


class RankedStream(NamedStream):
    """A stream of the channel, with its latest result."""

    position: int = Field(description="Position in the channel; 1 is the first choice")
    pinned: bool = Field(description="Whether a policy pins the stream to its place")
    score: float | None = Field(description="Score from 0 to 1; null before the first check")
    result: NamedResult | None = Field(description="Latest result; null before the first check")


class RemovedStream(BaseModel):
    """A stream that the dead-stream policy removed; it returns when it works again."""

    stream_id: int = Field(description="Id of the stream in Dispatcharr")
    name: str | None = Field(description="Name of the stream")
    position: int = Field(description="Position that it had; 1 is the first choice")


class ChannelDetail(BaseModel):
    """A channel, its streams and its last change."""

    id: int = Field(description="Id of the channel in Dispatcharr")
    name: str = Field(description="Name of the channel", examples=["Das Erste"])
    number: float | None = Field(description="Channel number")
    group_id: int | None = Field(description="Id of the channel's group")
    uuid: str | None = Field(description="UUID of the channel in Dispatcharr's proxy")
    policy: str | None = Field(description="Name of the policy that applies; null for the general settings")
    streams: list[RankedStream] = Field(description="Streams in their order, first choice first")
    removed: list[RemovedStream] = Field(description="Streams that were removed because they are dead")
    same_feeds: list[list[int]] = Field(
        description="Groups of its streams that show the same feed, by the pictures of their last checks"
    )
    other_feeds: list[int] = Field(
        description="Its streams that show something else than a feed that at least two others show"
    )
    last_change: ChannelChange | None = Field(description="Last change by a check; null before the first")
    names: dict[int, str] = Field(description="Names by stream id of all streams that occur in this document")
    dispatcharr: str | None = Field(
        description="Address of Dispatcharr's page of channels for browsers",
        examples=["http://192.0.2.7:9191/channels"],
    )


@router.get("", responses=responses(401, 403, 422, 429, 503), dependencies=[at_most(8)])
def list_channels(
    store: OpenStore,
    name_index: OpenNameIndex,
    results: OpenResultIndex,
    redis: OpenRedis,
    group_id: GroupFilter = None,
    q: NameFilter = None,
    limit: PageLimit = 100,
    cursor: Cursor = None,
) -> ChannelPage:
    """Return channels in the order of their ids. Their counts are at most a few seconds old.

    A stream whose newest checks decided nothing counts by its last known state.
    """
    matching_ids = set(name_index.channels(store, q or ""))
    if group_id is not None:
        matching_ids.intersection_update(store.library.channels_of_group(group_id))
    ids, next_cursor = cursors.page(matching_ids, cursor, limit)
    channels = {channel.id: channel for channel in store.library.channels(ids)}
    unusable = shared_settings.load(redis).scoring.unusable_reasons
    current = results.current(store)
    listed = [_listed(channels[id], current, unusable) for id in ids if id in channels]
    return ChannelPage(channels=listed, total=len(matching_ids), next_cursor=next_cursor)


def _listed(channel: Channel, results: Mapping[int, IndexedResult], unusable: Collection[str]) -> ListedChannel:
    own = [results[id] for id in channel.stream_ids if id in results]
    known = [one.decided for one in own if one.decided]
    return ListedChannel(
        id=channel.id,
        name=channel.name,
        number=channel.number,
        group_id=channel.group_id,
        streams=len(channel.stream_ids),
        checked=len(own),
        working=sum(one.is_usable(unusable) for one in known),
    )


@router.get("/{channel_id}", responses=responses(401, 403, 404, 422, 503))
def get_channel(channel_id: ChannelId, store: OpenStore, redis: OpenRedis) -> ChannelDetail:
    """Return a channel with its streams, first choice first, and its last change."""
    channel = store.library.channel(channel_id)
    if channel is None:
        raise Problem(404, f"Channel {channel_id} does not exist.")
    removed, change = store.results.removed_streams(channel_id), next(iter(store.runs.changes(channel_id, 1)), None)
    changed_ids = (*change.before, *change.after) if change else ()
    mentioned_ids = {*channel.stream_ids, *removed, *changed_ids}
    names, results = StreamNames(store, mentioned_ids), store.results.latest_of(channel.stream_ids)
    policies = shared_settings.load(redis).policies
    groups = {group.id: group.name for group in store.library.groups()} if policies else {}
    stream_names = {id: name for id in mentioned_ids if (name := names.name(id))}
    place = place_of(policies, channel, groups)
    pins = pinned(policy_of(policies, channel, groups), store.library.streams(channel.stream_ids).values())
    feeds = compare(_sampled(results))
    return ChannelDetail(
        **channel.model_dump(include={"id", "name", "number", "group_id", "uuid"}),
        policy=None if place is None else label(policies, place),
        streams=[
            _ranked(names.named(id), position, names, results.get(id), is_pinned=id in pins)
            for position, id in enumerate(channel.stream_ids, 1)
        ],
        removed=[RemovedStream(stream_id=id, name=names.name(id), position=at + 1) for id, at in removed.items()],
        same_feeds=[list(group) for group in feeds.same],
        other_feeds=list(feeds.other),
        last_change=change and named_change(change, stream_names),
        names=stream_names,
        dispatcharr=channels_page(),
    )


def _sampled(results: dict[int, Result]) -> dict[int, Sampled]:
    """Return the fingerprints of the pictures of results, as far as there are any."""
    pictures = {stream: thumbnails.load(config.home(), stream) for stream in results}
    prints = {stream: prints_of(jpeg) for stream, jpeg in pictures.items() if jpeg}
    return {stream: Sampled(results[stream].checked_at, found) for stream, found in prints.items() if found}


def _ranked(
    stream: NamedStream, position: int, names: StreamNames, result: Result | None, *, is_pinned: bool
) -> RankedStream:
    return RankedStream(
        **dict(stream),
        position=position,
        pinned=is_pinned,
        score=result.score if result else None,
        result=names.named_result(result) if result else None,
    )


class PinChange(BaseModel):
    """A stream to pin to its place in a channel, or to release."""

    stream_id: int = Field(ge=0, le=MAX_ID, description="Id of the stream in Dispatcharr", examples=[12])
    pinned: bool = Field(description="Whether the stream keeps its place from now on")


class Pins(BaseModel):
    """The pins of a channel."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    pinned: list[int] = Field(description="Ids of its streams that policies pin", examples=[[12]])


@router.post("/{channel_id}/pins", responses=responses(401, 403, 404, 409, 413, 422, 503))
def change_pin(
    channel_id: ChannelId,
    change: PinChange,
    store: OpenStore,
    redis: OpenRedis,
    limiter: OpenLimiter,
    user: EditingUser,
) -> Pins:
    """Pin a stream to its place, or release it. The pins of a channel are a policy of their own."""
    channel = store.library.channel(channel_id)
    if channel is None:
        raise Problem(404, f"Channel {channel_id} does not exist.")
    if change.stream_id not in channel.stream_ids:
        raise Problem(404, f"Channel {channel_id} has no stream {change.stream_id}.")

    def make(settings: Config) -> list[dict[str, Any]]:
        policies = with_pin(settings.policies, channel, change.stream_id, pinned=change.pinned)
        return [policy.model_dump(mode="json") for policy in policies]

    policies = stored_settings.change(redis, "policies", make, limiter, user).policies
    groups = {group.id: group.name for group in store.library.groups()}
    pins = pinned(policy_of(policies, channel, groups), store.library.streams(channel.stream_ids).values())
    if not change.pinned and change.stream_id in pins:
        raise Problem(409, f"Another policy pins stream {change.stream_id} by its name. Change that policy.")
    return Pins(channel_id=channel_id, pinned=sorted(pins))


class NumberedChange(ChannelChange):
    """A change of a channel with the number that an undo needs."""

    n: int = Field(description="Number of the change, which does not change when others are added")


class ChannelChanges(BaseModel):
    """The stored changes of a channel."""

    changes: list[NumberedChange] = Field(description="Changes, newest first")
    names: dict[int, str] = Field(description="Names by stream id of all streams that occur in this document")


ChangeNumber = Annotated[
    int, Path(ge=0, le=MAX_ID, description="`n` of the change; a number below 50 counts from the newest, which is 0")
]


@router.get("/{channel_id}/changes", responses=responses(401, 403, 404, 422, 503))
def list_changes(channel_id: ChannelId, store: OpenStore) -> ChannelChanges:
    """Return the stored changes of a channel, newest first."""
    changes = _changes(store, channel_id)
    mentioned = {id for change in changes for id in (*change.before, *change.after)}
    found = StreamNames(store, mentioned)
    names = {id: name for id in mentioned if (name := found.name(id))}
    return ChannelChanges(
        changes=[NumberedChange(**dict(named_change(change, names)), n=number_of(change)) for change in changes],
        names=names,
    )


@router.post("/{channel_id}/changes/{n}/undo", responses=responses(401, 403, 404, 409, 422, 502, 503))
def undo_change(
    channel_id: ChannelId, n: ChangeNumber, store: OpenStore, redis: OpenRedis, user: EditingUser
) -> ChannelChange:
    """Put the order of a channel, and the streams that left it, back as they were before a change.

    It is a 409 when somebody, or a later check, has changed the channel since.
    """
    changes = _changes(store, channel_id)
    chosen = changes[n : n + 1] if n < MAX_POSITION else [change for change in changes if number_of(change) == n]
    if not chosen:
        raise Problem(404, f"Channel {channel_id} has no change {n}.")
    with sources.opened(redis=redis) as source:
        return undo(store, source.destination(store), chosen, f"undone by {user.get_name()}")


def number_of(change: ChannelChange) -> int:
    """Return the number of a change: its time in milliseconds since the epoch."""
    return int(change.at.timestamp() * 1000)


def _changes(store: Store, channel_id: int) -> list[ChannelChange]:
    if store.library.channel(channel_id) is None:
        raise Problem(404, f"Channel {channel_id} does not exist.")
    return store.runs.changes(channel_id)
