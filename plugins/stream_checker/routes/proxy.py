"""``/proxy``: channels and streams through Dispatcharr's proxy, whose addresses hold no login of a provider."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from stream_checker.http.access import Reader
from stream_checker.http.parameters import ChannelsFilter, StreamsFilter
from stream_checker.http.problems import Problem, responses
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
        raise Problem(409, "Dispatcharr plays none of these: it has no such channel or stream any more.")
    headers = {"Content-Disposition": 'attachment; filename="selection.m3u"'}
    return PlainTextResponse(
        "".join(f"{line}\n" for line in export.lines(entries)), headers=headers, media_type=MEDIA_TYPE
    )


def _stream_paths(redis: OpenRedis, stream_ids: list[int]) -> dict[int, str]:
    try:
        with sources.opened(redis=redis) as source:
            if isinstance(source, Dispatcharr):
                return source.proxy.stream_paths(stream_ids)
    except ConfigError as error:
        raise Problem(409, f"{NO_PROXY} {error}") from error
    raise Problem(409, NO_PROXY)
