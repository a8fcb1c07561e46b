"""``/streams``: one stream, its past results and its thumbnail."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, Field

from stream_checker.http.access import Reader
from stream_checker.http.etags import CACHE_CONTROL, etag, is_current
from stream_checker.http.parameters import StreamId
from stream_checker.http.problems import Problem, responses
from stream_checker.resources import OpenStore
from streamflow import config, thumbnails
from streamflow.records import DeadMemory, Playback, Result, Stream
from streamflow.udi.ports import Store

router = APIRouter(prefix="/streams", tags=["streams"], dependencies=[Reader])


class ChannelPlace(BaseModel):
    """A channel that contains the stream."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    name: str = Field(description="Name of the channel", examples=["Das Erste"])
    position: int = Field(description="Position of the stream in the channel; 1 is the first choice")


class StreamDetail(BaseModel):
    """A stream without its URL, which may contain passwords."""

    id: int = Field(description="Id of the stream in Dispatcharr")
    name: str = Field(description="Name of the stream", examples=["Das Erste HD"])
    url_hash: str = Field(description="SHA-256 of its URL in hexadecimal digits")
    account_id: int | None = Field(description="Id of its account; null for a custom stream")
    account: str | None = Field(description="Name of its account", examples=["Provider A"])
    group_id: int | None = Field(description="Id of its group")
    tvg_id: str | None = Field(description="Id of its programme in the EPG")
    is_stale: bool = Field(description="Whether its provider no longer lists it")
    is_custom: bool = Field(description="Whether a user created it in Dispatcharr")
    channels: list[ChannelPlace] = Field(description="Channels that contain it")
    result: Result | None = Field(description="Latest result; null before the first check")
    failures: DeadMemory | None = Field(description="Consecutive failures; null when its last check was good")
    playbacks: list[Playback] = Field(
        description="What people watched of it through Dispatcharr, newest first: evidence without a connection"
    )
    progress: dict[str, Any] | None = Field(description="Progress of its running probe; null when none runs")


class StreamHistory(BaseModel):
    """The past results of a stream."""

    stream_id: int = Field(description="Id of the stream in Dispatcharr")
    results: list[Result] = Field(description="Results, newest first")


@router.get("/{stream_id}", responses=responses(401, 403, 404, 422, 503))
def get_stream(stream_id: StreamId, store: OpenStore) -> StreamDetail:
    """Return a stream with its channels, its latest result and its consecutive failures."""
    stream = existing_stream(store, stream_id)
    account = store.library.account(stream.account_id) if stream.account_id is not None else None
    return StreamDetail(
        **stream.model_dump(include=set(StreamDetail.model_fields) & set(Stream.model_fields)),
        url_hash=stream.url_hash,
        account=account.name if account else None,
        channels=[
            ChannelPlace(channel_id=channel.id, name=channel.name, position=channel.stream_ids.index(stream_id) + 1)
            for channel in store.library.channels(store.library.channels_of_stream(stream_id))
        ],
        result=store.results.latest(stream_id),
        failures=store.results.dead_memory([stream_id]).get(stream_id),
        playbacks=store.results.playbacks([stream_id]).get(stream_id, []),
        progress=store.progress.running().get(stream_id),
    )


@router.get("/{stream_id}/history", responses=responses(401, 403, 404, 422, 503))
def get_history(
    stream_id: StreamId,
    store: OpenStore,
    limit: Annotated[int, Query(ge=1, le=500, description="Number of results")] = 50,
) -> StreamHistory:
    """Return the past results of a stream, newest first."""
    existing_stream(store, stream_id)
    return StreamHistory(stream_id=stream_id, results=store.results.history(stream_id, limit))


@router.get(
    "/{stream_id}/thumbnail",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "The client has the latest thumbnail"},
        **responses(401, 403, 404, 422),
    },
)
def get_thumbnail(
    stream_id: StreamId,
    former: Annotated[bool, Query(description="The picture before the latest one")] = False,
    if_none_match: Annotated[
        str | None, Header(max_length=1000, description="ETag of the thumbnail that the client has")
    ] = None,
) -> Response:
    """Return the latest thumbnail of a stream as JPEG."""
    picture = thumbnails.load(config.home(), stream_id, former=former)
    if picture is None:
        raise Problem(404, f"Stream {stream_id} has no {'former ' if former else ''}thumbnail.")
    headers = {"ETag": etag(picture), "Cache-Control": CACHE_CONTROL}
    if is_current(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(picture, headers=headers, media_type="image/jpeg")


def existing_stream(store: Store, stream_id: int) -> Stream:
    """Return a stream.

    :raises Problem: 404 when the UDI does not hold the stream.
    """
    stream = store.library.stream(stream_id)
    if stream is None:
        raise Problem(404, f"Stream {stream_id} does not exist.")
    return stream
