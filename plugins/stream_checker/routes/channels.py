"""``/channels``: a channel's streams in order with their scores, and what the last check changed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from stream_checker.http import cursors
from stream_checker.http.access import Reader
from stream_checker.http.problems import Problem, responses
from stream_checker.http.throttle import at_once
from stream_checker.queries.dispatcharr_page import channels_page
from stream_checker.queries.stream_names import NamedResult, NamedStream, StreamNames
from stream_checker.resources import OpenNameIndex, Udi
from streamflow.records import WORKING, Channel, ChannelChange, Result

router = APIRouter(prefix="/channels", tags=["channels"], dependencies=[Reader])


class ListedChannel(BaseModel):
    """``checked`` of its ``streams`` have a result, and ``working`` of them are ok or degraded by it."""

    id: int
    name: str
    number: float | None
    group_id: int | None
    streams: int
    checked: int
    working: int


class ChannelPage(BaseModel):
    channels: list[ListedChannel]
    total: int
    next_cursor: str | None


class RankedStream(NamedStream):
    """A stream of the channel; ``position`` counts from 1, ``result`` is null before its first check."""

    position: int
    score: float | None
    result: NamedResult | None


class RemovedStream(BaseModel):
    """A stream that the dead-stream policy took out; it had ``position`` and comes back when it is alive again."""

    stream_id: int
    name: str | None
    position: int


class ChannelDetail(BaseModel):
    """``names`` holds the names of all streams that ``streams``, ``removed`` and ``last_change`` speak of;
    ``dispatcharr`` is where a browser finds Dispatcharr's channels."""

    id: int
    name: str
    number: float | None
    group_id: int | None
    uuid: str | None
    streams: list[RankedStream]
    removed: list[RemovedStream]
    last_change: ChannelChange | None
    names: dict[int, str]
    dispatcharr: str | None = Field(examples=["http://192.0.2.7:9191/channels"])


@router.get("", responses=responses(401, 403, 422, 429, 503), dependencies=[at_once(8)])
def channels(
    store: Udi,
    names: OpenNameIndex,
    group_id: int | None = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the channel's name")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=cursors.MAX_LENGTH)] = None,
) -> ChannelPage:
    """Channels in the order of their ids."""
    chosen = set(names.channels(store, q or ""))
    if group_id is not None:
        chosen.intersection_update(store.library.channels_of_group(group_id))
    ids, following = cursors.page(chosen, cursor, limit)
    found = {channel.id: channel for channel in store.library.channels(ids)}
    results = store.results.latest_of({id for channel in found.values() for id in channel.stream_ids})
    listed = [_listed(found[id], results) for id in ids if id in found]
    return ChannelPage(channels=listed, total=len(chosen), next_cursor=following)


def _listed(channel: Channel, results: dict[int, Result]) -> ListedChannel:
    verdicts = [results[id].verdict for id in channel.stream_ids if id in results]
    return ListedChannel(
        id=channel.id,
        name=channel.name,
        number=channel.number,
        group_id=channel.group_id,
        streams=len(channel.stream_ids),
        checked=len(verdicts),
        working=sum(verdict in WORKING for verdict in verdicts),
    )


@router.get("/{channel_id}", responses=responses(401, 403, 404, 503))
def channel(channel_id: int, store: Udi) -> ChannelDetail:
    """One channel, best stream first."""
    found = store.library.channel(channel_id)
    if found is None:
        raise Problem(404, f"no channel {channel_id}")
    removed, change = store.results.removed_streams(channel_id), next(iter(store.runs.changes(channel_id, 1)), None)
    mentioned = {*found.stream_ids, *removed, *(change.before if change else ()), *(change.after if change else ())}
    labels, results = StreamNames(store, mentioned), store.results.latest_of(found.stream_ids)
    ranked = []
    for position, id in enumerate(found.stream_ids, 1):
        result = results.get(id)
        ranked.append(
            RankedStream(
                **dict(labels.of(id)),
                position=position,
                score=result.score if result else None,
                result=labels.named(result) if result else None,
            )
        )
    return ChannelDetail(
        **found.model_dump(include={"id", "name", "number", "group_id", "uuid"}),
        streams=ranked,
        removed=[RemovedStream(stream_id=id, name=labels.name(id), position=at + 1) for id, at in removed.items()],
        last_change=change,
        names={id: name for id in mentioned if (name := labels.name(id))},
        dispatcharr=channels_page(),
    )
