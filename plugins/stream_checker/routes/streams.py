"""``/streams``: one stream, its past results and its picture."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel

from stream_checker.http.access import Reader
from stream_checker.http.problems import Problem, responses
from stream_checker.resources import Udi
from streamflow import config, thumbnails
from streamflow.records import DeadMemory, Result, Stream
from streamflow.udi.ports import Store

router = APIRouter(prefix="/streams", tags=["streams"], dependencies=[Reader])


class Place(BaseModel):
    """A channel that the stream is in, and where (1 = first choice)."""

    channel_id: int
    name: str
    position: int


class StreamDetail(BaseModel):
    """A stream without its URL, which holds passwords. ``progress`` is the state of its running probe."""

    id: int
    name: str
    url_hash: str
    account_id: int | None
    account: str | None
    group_id: int | None
    tvg_id: str | None
    is_stale: bool
    is_custom: bool
    channels: list[Place]
    result: Result | None
    failures: DeadMemory | None
    progress: dict[str, Any] | None


class History(BaseModel):
    """Past results, newest first."""

    stream_id: int
    results: list[Result]


@router.get("/{stream_id}", responses=responses(401, 403, 404, 503))
def stream(stream_id: int, store: Udi) -> StreamDetail:
    """One stream: where it is used, its latest result, and how often it has failed in a row."""
    found = known(store, stream_id)
    account = store.library.account(found.account_id) if found.account_id is not None else None
    return StreamDetail(
        **found.model_dump(include=set(StreamDetail.model_fields) & set(Stream.model_fields)),
        url_hash=found.url_hash,
        account=account.name if account else None,
        channels=[
            Place(channel_id=channel.id, name=channel.name, position=channel.stream_ids.index(stream_id) + 1)
            for channel in store.library.channels(store.library.channels_of_stream(stream_id))
        ],
        result=store.results.latest(stream_id),
        failures=store.results.dead_memory([stream_id]).get(stream_id),
        progress=store.progress.running().get(stream_id),
    )


@router.get("/{stream_id}/history", responses=responses(401, 403, 404, 503))
def history(stream_id: int, store: Udi, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> History:
    """The stream's past results."""
    known(store, stream_id)
    return History(stream_id=stream_id, results=store.results.history(stream_id, limit))


@router.get(
    "/{stream_id}/thumbnail",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "The picture that the caller has is the latest"},
        **responses(401, 403, 404),
    },
)
def thumbnail(stream_id: int, if_none_match: Annotated[str | None, Header(max_length=1000)] = None) -> Response:
    """The last picture of the stream, as JPEG."""
    picture = thumbnails.load(config.home(), stream_id)
    if picture is None:
        raise Problem(404, f"no picture of stream {stream_id}")
    tag = f'"{hashlib.sha256(picture).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if if_none_match and (if_none_match.strip() == "*" or tag in if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(picture, headers=headers, media_type="image/jpeg")


def known(store: Store, stream_id: int) -> Stream:
    """The stream, or a 404."""
    found = store.library.stream(stream_id)
    if found is None:
        raise Problem(404, f"no stream {stream_id}")
    return found
