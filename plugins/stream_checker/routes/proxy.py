"""``/proxy``: channels and streams through Dispatcharr's proxy, whose addresses hold no login of a provider."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from stream_checker.http.access import Reader
from stream_checker.http.parameters import MAX_ID, ChannelsFilter, StreamsFilter
from stream_checker.http.problems import Fault, Problem, responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.dispatcharr_address import public_address
from stream_checker.resources import OpenRedis, OpenStore
from streamflow import sources
from streamflow.errors import ConfigError
from streamflow.records import Channel, Stream
from streamflow.sources.dispatcharr import Dispatcharr
from streamflow.sources.dispatcharr.proxy import channel_path
from streamflow.sources.m3u import export
from streamflow.sources.m3u.playlist import Entry

router = APIRouter(prefix="/proxy", tags=["results"], dependencies=[Reader])

MEDIA_TYPE = "application/x-mpegurl"
NO_PROXY = "The library comes from no Dispatcharr (DISPATCHARR_URL), and only Dispatcharr has a proxy for players."
PLAYS_NOTHING = "Dispatcharr plays none of these: it has no such channel or stream any more."


@router.get(
    "/playlist.m3u",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
        **responses(401, 403, 409, 422, 429, 502, 503),
    },
    dependencies=[at_most(2)],
)
def export_playlist(
    store: OpenStore, redis: OpenRedis, channel_id: ChannelsFilter = None, stream_id: StreamsFilter = None
) -> PlainTextResponse:
    """Return chosen channels and streams as a playlist. Dispatcharr plays them, so no address holds a password.

    A channel or stream that Dispatcharr cannot play is left out.
    """
    address = public_address()
    channels = store.library.channels(channel_id or [])
    streams = store.library.streams(stream_id or [])
    paths = _stream_paths(redis, list(streams)) if streams else {}
    if address is None:
        raise Problem(409, NO_PROXY)
    groups = {group.id: group.name for group in store.library.groups()}
    chosen: list[tuple[Channel | Stream, str | None]] = [(one, one.uuid and channel_path(one.uuid)) for one in channels]
    chosen += [(one, paths.get(one.id)) for one in streams.values()]
    entries = [
        Entry(
            line=0,
            name=one.name,
            url=f"{address}{path}",
            group=groups.get(one.group_id or 0, ""),
            tvg_id=(one.tvg_id or "") if isinstance(one, Stream) else "",
            number=one.number if isinstance(one, Channel) else None,
        )
        for one, path in chosen
        if path
    ]
    if not entries:
        raise Problem(409, PLAYS_NOTHING)
    headers = {"Content-Disposition": 'attachment; filename="selection.m3u"'}
    return PlainTextResponse(
        "".join(f"{line}\n" for line in export.lines(entries)), headers=headers, media_type=MEDIA_TYPE
    )


class ProxyAddress(BaseModel):
    """The address at which Dispatcharr plays something."""

    url: str = Field(
        description="Address for players, without a login of a provider",
        examples=["http://192.0.2.7:9191/proxy/ts/stream/7c9e6679-7425-40de-944b-e07fc1f90ae7"],
    )


@router.get("/address", responses=responses(401, 403, 409, 422, 429, 502, 503), dependencies=[at_most(2)])
def get_address(
    store: OpenStore,
    redis: OpenRedis,
    channel_id: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Id of a channel")] = None,
    stream_id: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Id of a stream")] = None,
) -> ProxyAddress:
    """Return the address at which Dispatcharr plays one channel or one stream, for the player of the page."""
    if (channel_id is None) == (stream_id is None):
        message = "name either a channel or a stream"
        raise Problem(422, f"channel_id: {message}", errors=[Fault(field="channel_id", message=message)])
    if channel_id is not None:
        channel = store.library.channel(channel_id)
        path = channel and channel.uuid and channel_path(channel.uuid)
    else:
        path = _stream_paths(redis, [stream_id]).get(stream_id) if stream_id is not None else None
    address = public_address()
    if address is None:
        raise Problem(409, NO_PROXY)
    if not path:
        raise Problem(409, PLAYS_NOTHING)
    return ProxyAddress(url=f"{address}{path}")


def _stream_paths(redis: OpenRedis, stream_ids: list[int]) -> dict[int, str]:
    try:
        with sources.opened(redis=redis) as source:
            if isinstance(source, Dispatcharr):
                return source.proxy.stream_paths(stream_ids)
    except ConfigError as error:
        raise Problem(409, f"{NO_PROXY} {error}") from error
    raise Problem(409, NO_PROXY)
