"""``/playlist.m3u``: the library as a playlist for players, best streams first."""

from __future__ import annotations

from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from stream_checker.http.parameters import MAX_ID
from stream_checker.http.problems import Problem, responses
from stream_checker.http.shared_secret import SharedSecret
from stream_checker.http.throttle import at_most
from stream_checker.resources import OpenRedis, OpenStore
from streamflow import shared_settings
from streamflow.errors import UnknownRecord
from streamflow.sources.m3u import export

TOKEN_VARIABLE = "STREAMFLOW_PLAYLIST_TOKEN"  # noqa: S105
MEDIA_TYPE = "application/x-mpegurl"
# Reading a large library takes seconds.
MOST_AT_ONCE = 2

_token = SharedSecret(TOKEN_VARIABLE, "The playlist is", "The playlist's token")


def require_token(token: Annotated[str, Query(max_length=1000, description="The playlist's token")] = "") -> None:
    """Let requests with the playlist's token pass; see :meth:`SharedSecret.require`."""
    _token.require(token)


router = APIRouter(tags=["results"], dependencies=[Depends(require_token), at_most(MOST_AT_ONCE)])


@router.get(
    "/playlist.m3u",
    response_class=StreamingResponse,
    responses=responses(401, 404, 422, 429, 503) | {200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
)
def read_playlist(
    store: OpenStore,
    redis: OpenRedis,
    channel_id: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Only the streams of this channel")] = None,
    with_dead: Annotated[bool, Query(description="Keep dead streams, with `[dead]` before their names")] = False,
) -> StreamingResponse:
    """Return the streams of all channels as a playlist: channels by their numbers, each with its best stream first.

    The addresses contain the passwords of the provider accounts, so the route has a token of its own: a player sends
    no login of Airflow.
    """
    unusable = shared_settings.load(redis).scoring.unusable_reasons
    lines = export.lines(export.library(store, channel_id, with_dead=with_dead, unusable=unusable))
    try:
        # The library is read before the first line, so that its errors become problem documents.
        start = [next(lines), next(lines, "")]
    except UnknownRecord as error:
        raise Problem(404, f"There is no channel {channel_id}.") from error
    headers = {"Cache-Control": "no-store", "Content-Disposition": 'inline; filename="streamflow.m3u"'}
    text = (f"{line}\n" for line in chain(start, lines) if line)
    return StreamingResponse(text, media_type=MEDIA_TYPE, headers=headers)
