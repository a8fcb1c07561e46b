"""``/events``: what happens, as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from starlette.types import Message, Send

from stream_checker.events.feed import Event, EventFeed, Places, events, id_of, places_of
from stream_checker.http.access import Reader
from stream_checker.http.problems import Problem, responses

router = APIRouter(tags=["events"], dependencies=[Reader])

MOST_LISTENERS = 1000
HEARTBEAT_SECONDS = 15.0
# After this time a listener comes back, and its rights are asked for again.
LIFE_SECONDS = 600.0
RETRY_MS = 2000
# Whoever takes nothing for so long has gone away without a word, or might as well have.
STUCK_SECONDS = 30.0
HEARTBEAT = ":\n\n"


class EventStream(StreamingResponse):
    """Ends when the other side takes nothing: it comes back to where it was, and until then costs nothing."""

    async def stream_response(self, send: Send) -> None:
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
            "description": "Events `lease`, `progress`, `result` and `run`, each with JSON as its data",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **responses(401, 403, 503),
    },
)
async def listen(
    last_event_id: Annotated[str | None, Header(description="The last event seen; later ones are told again")] = None,
) -> StreamingResponse:
    """What happens from now on, or since the event `Last-Event-ID`, for as long as the caller listens."""
    source = events()
    if len(source) >= MOST_LISTENERS:
        raise Problem(503, f"{MOST_LISTENERS} listen already", headers={"Retry-After": "30"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventStream(
        told(source, places_of(last_event_id)), media_type="text/event-stream; charset=utf-8", headers=headers
    )


async def told(source: EventFeed, after: Places | None) -> AsyncGenerator[str]:
    """The events as text."""
    until = time.monotonic() + LIFE_SECONDS
    async with source.listening(after) as listener:
        # A place without an event is where a listener that hears nothing comes back to.
        yield f"retry: {RETRY_MS}\nid: {id_of(listener.begin)}\n\n"
        while not listener.ended and time.monotonic() < until:
            yield "".join(map(text, await listener.take(HEARTBEAT_SECONDS))) or HEARTBEAT
    yield ": come back\n\n"


def text(told: Event) -> str:
    """One event in its lines."""
    return f"id: {told.id}\nevent: {told.name}\ndata: {told.data}\n\n"
