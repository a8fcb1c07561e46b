"""``/events``: live events as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import suppress
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from stream_checker.events.entries import Event, Position, event_id, parse_event_id
from stream_checker.events.feed import EventFeed, current_feed
from stream_checker.http.access import Reader
from stream_checker.http.problems import responses
from stream_checker.http.throttle import Seats

router = APIRouter(tags=["events"])

SEATS = 1000
SEATS_PER_USER = 20
HEARTBEAT_SECONDS = 15.0
# The client reconnects after this time, which checks its rights again.
LIFE_SECONDS = 600.0
RETRY_MS = 2000
# A client that accepts no data for this time is disconnected.
STUCK_SECONDS = 30.0
HEARTBEAT = ":\n\n"

_seats = Seats(SEATS, SEATS_PER_USER)


class EventStream(StreamingResponse):
    """A stream of events that ends when the client accepts no data; the client can continue where it was.

    :param content: the stream's text.
    :param close: called when the response has ended, however it ends.
    """

    def __init__(self, content: AsyncIterable[str], close: Callable[[], None]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, headers=headers, media_type="text/event-stream; charset=utf-8")
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()

    async def stream_response(self, send: Send) -> None:
        """Send the events until the client accepts no data."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(STUCK_SECONDS):
                await send(message)

        with suppress(TimeoutError):
            await super().stream_response(send_in_time)


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events `lease`, `progress`, `result` and `run`, each with a JSON object as its data",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **responses(401, 403, 422, 429, 503),
    },
)
async def stream_events(
    user: Annotated[BaseUser, Reader],
    last_event_id: Annotated[
        str | None, Header(description="Id of the last event received; the stream continues after it")
    ] = None,
) -> StreamingResponse:
    """Stream events as they happen, or all events since `Last-Event-ID`. A user may hold 20 such streams."""
    give_back = _seats.take(str(user.get_id()))
    return EventStream(event_lines(current_feed(), parse_event_id(last_event_id)), give_back)


async def event_lines(feed: EventFeed, after: Position | None) -> AsyncGenerator[str]:
    """Yield events as text until the stream's life ends.

    :param after: position of the last event that the client knows; None for new events only.
    """
    deadline = time.monotonic() + LIFE_SECONDS
    async with feed.subscribe(after) as subscriber:
        # An id without an event tells the client where to continue if it receives no event.
        yield f"retry: {RETRY_MS}\nid: {event_id(subscriber.begin)}\n\n"
        while not subscriber.ended and time.monotonic() < deadline:
            yield "".join(map(format_event, await subscriber.take(HEARTBEAT_SECONDS))) or HEARTBEAT
    yield ": reconnect\n\n"


def format_event(event: Event) -> str:
    """Return an event in the lines of the event stream format."""
    return f"id: {event.id}\nevent: {event.name}\ndata: {event.data}\n\n"
