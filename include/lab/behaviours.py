"""The ways in which the provider sends a stream over its connection: in real time, or with a fault."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from lab.library import Behaviour
from lab.mpegts import CLOCK, PACKET, WRAP
from lab.timeline import Timeline

# The server waits for a client that is this far behind, and disconnects it after this time.
BACKLOG_BYTES = 4_000_000
BACKLOG_SECONDS = 30.0
JUMP_SECONDS = 1000
FALSE_LENGTH = 2_624_204_796
# Seven packets of a transport stream fit into one packet of a network, as usual with RTP and UDP.
NETWORK_BYTES = 7 * PACKET

_PAGE = (
    b"<!DOCTYPE html><html><head><title>Account</title></head><body><h1>Your subscription has ended</h1></body></html>"
)
_MESSAGE = b'{"user_info":{"auth":0,"status":"Expired"}}'

Send = Callable[["Wire", Timeline, Behaviour], Awaitable[None]]


class Wire:
    """A client's socket, written to without chunked encoding and without copies."""

    def __init__(self, request: web.Request) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left before the answer")
        self.transport: asyncio.Transport = transport

    def start(self, content_type: str = "video/mp2t", length: int | None = None) -> None:
        """Send the head of a response with status 200."""
        lines = ["HTTP/1.1 200 OK", f"Content-Type: {content_type}", "Cache-Control: no-cache", "Connection: close"]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        self.transport.write("\r\n".join([*lines, "", ""]).encode())

    async def send(self, data: bytes) -> None:
        """Send data. Wait while the client is far behind.

        :raises ConnectionResetError: the client has left.
        """
        deadline = time.monotonic() + BACKLOG_SECONDS
        while self.transport.get_write_buffer_size() > BACKLOG_BYTES:
            if time.monotonic() > deadline:
                self.transport.abort()
            await asyncio.sleep(0.05)
            if self.transport.is_closing():
                break
        if self.transport.is_closing():
            raise ConnectionResetError("the client left")
        self.transport.write(data)

    async def end(self) -> None:
        """Close the socket when everything is sent, and wait until it is closed."""
        self.transport.close()
        await asyncio.sleep(5)
        self.transport.abort()


async def _play(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    wire.start()
    await _media(wire, timeline, behaviour)


async def _media(wire: Wire, timeline: Timeline, behaviour: Behaviour, seconds: float = float("inf")) -> None:
    """Send media for a number of seconds: first a burst, then each slice when it is due."""
    live = timeline.now()
    first = max(0, live - round(behaviour.burst_s / timeline.slice_s))
    begin = time.monotonic()
    number = first
    lasts = timeline.slice_s / behaviour.speed
    while (number - live) * timeline.slice_s < seconds:
        due, data = begin + (number - live) * lasts, timeline.slice(number)
        pieces = range(0, len(data), NETWORK_BYTES if behaviour.in_packets and number >= live else len(data))
        for start in pieces:
            wait = due + start / len(data) * lasts - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            await wire.send(data[start : start + pieces.step])
        number += 1


async def _stall(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    wire.start()
    while True:
        await _media(wire, timeline, behaviour, behaviour.after_s)
        await asyncio.sleep(behaviour.for_s or 86_400)


async def _drop(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    wire.start()
    await _media(wire, timeline, behaviour, behaviour.after_s)


async def _truncate(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    wire.start()
    number, left = timeline.now(), behaviour.after_bytes
    while left > 0:
        piece = timeline.slice(number)[:left]
        await wire.send(piece)
        number, left = number + 1, left - len(piece)


async def _jump(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    wire.start()
    jumps = 0
    while True:
        jumped = Timeline(timeline.clip, jumps * JUMP_SECONDS * CLOCK, timeline.start)
        burst = behaviour.burst_s if jumps == 0 else 0.0
        await _media(wire, jumped, Behaviour(burst_s=burst), behaviour.after_s)
        jumps += 1


async def _status(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    del wire, timeline
    headers = {} if behaviour.retry_after is None else {"Retry-After": str(behaviour.retry_after)}
    raise Refused(behaviour.status, headers)


async def _body(wire: Wire, body: bytes, content_type: str) -> None:
    wire.start(content_type, len(body))
    await wire.send(body)


async def _html(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    del timeline, behaviour
    await _body(wire, _PAGE, "text/html")


async def _json(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    del timeline, behaviour
    await _body(wire, _MESSAGE, "application/json")


async def _empty(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    del timeline, behaviour
    await _body(wire, b"", "video/mp2t")


async def _garbage(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    del timeline, behaviour
    wire.start()
    noise = random.Random(0)
    while True:
        await wire.send(noise.randbytes(25_000))
        await asyncio.sleep(0.1)


async def _trickle(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    del behaviour
    wire.start()
    for byte in timeline.slice(timeline.now()):
        await wire.send(bytes((byte,)))
        await asyncio.sleep(1)


async def _never(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    del wire, timeline, behaviour
    await asyncio.sleep(86_400)


async def _notice(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    del behaviour
    # A whole loop of the clip.
    await _body(wire, bytes(timeline.clip.data), "video/mp2t")


async def _false_length(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    wire.start(length=FALSE_LENGTH)
    await _media(wire, timeline, behaviour)


async def _false_head(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    head = ["ICY 200 OK", "Server : panel", "X-Powered-By panel", "content-type:video/mp2t", "Content-Length: -1"]
    wire.transport.write("\r\n".join([*head, "", ""]).encode())
    await _media(wire, timeline, behaviour)


async def _proxy_error(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    del timeline, behaviour
    wire.start()
    for message in (b"", b"", b"Error: Connection failed"):
        await wire.send((b"\x47\x1f\xff\x10" + message).ljust(PACKET, b"\0"))
        await asyncio.sleep(0.2)


async def _tuner(wire: Wire, timeline: Timeline, behaviour: Behaviour) -> None:
    del wire, timeline
    raise Refused(503, {"X-HDHomeRun-Error": behaviour.tuner_error})


_SENDERS: dict[str, Send] = {
    "notice": _notice,
    "false_length": _false_length,
    "false_head": _false_head,
    "proxy_error": _proxy_error,
    "tuner": _tuner,
    "play": _play,
    "stall": _stall,
    "drop": _drop,
    "truncate": _truncate,
    "jump": _jump,
    "status": _status,
    "html": _html,
    "json": _json,
    "empty": _empty,
    "garbage": _garbage,
    "trickle": _trickle,
    "never": _never,
}


class Refused(Exception):
    """The response is a status that reports a failure."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers or {}


async def send(request: web.Request, timeline: Timeline, behaviour: Behaviour) -> None:
    """Send a stream until the client leaves or the stream ends.

    :raises Refused: the response is a status. Nothing has been sent yet.
    :raises ConnectionResetError: the client has left.
    """
    wire = Wire(request)
    if behaviour.delay_s:
        await asyncio.sleep(behaviour.delay_s)
    if behaviour.wrap_in_s is not None:
        first_ticks = WRAP - round((behaviour.wrap_in_s + behaviour.burst_s) * CLOCK)
        timeline = Timeline(timeline.clip, first_ticks, time.monotonic() - behaviour.burst_s)
    await _SENDERS[behaviour.kind](wire, timeline, behaviour)
    await wire.end()
