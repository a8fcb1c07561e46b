"""The lab's servers on loopback: inside a running loop, or in a thread of their own for synchronous code."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import trustme
from aiohttp import web

from lab.library import Library, Stream
from lab.media import Media
from lab.provider import Provider

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Lab:
    """A running lab: where its servers are, and what they serve."""

    provider: str
    library: Library
    media: Media
    places: dict[str, str]

    def url(self, stream: Stream | int | str, kind: str | None = None) -> str:
        """A stream's URL, by itself, its id or its name; ``kind`` "ts" or "m3u8", by default the stream's own.

        Its media are made before this returns, so that no client waits for them.
        """
        if isinstance(stream, int):
            stream = self.library.stream[stream]
        elif isinstance(stream, str):
            stream = self.library.named(stream)
        self.media.clip(stream.clip)
        account = self.library.account[stream.account_id]
        kind = kind or ("m3u8" if stream.hls else "ts")
        return f"{self.places[stream.place]}/live/{account.username}/{account.password}/{stream.id}.{kind}"

    def record(self, connections: bool = False) -> dict[str, Any]:
        """What the provider counted, as of now."""
        query = "?connections=1" if connections else ""
        return dict(httpx.get(f"{self.provider}/lab/record{query}", trust_env=False).raise_for_status().json())

    def account_record(self, account_id: int) -> dict[str, Any]:
        """One account's part of :meth:`record`."""
        return next(dict(line) for line in self.record()["accounts"] if line["id"] == account_id)

    def reset(self) -> None:
        """Set the provider's figures to zero."""
        httpx.post(f"{self.provider}/lab/reset", trust_env=False).raise_for_status()


@asynccontextmanager
async def serve(library: Library, media: Media, port: int = 0) -> AsyncIterator[Lab]:
    """The lab within the running loop; ``port`` 0 takes a free one."""
    provider = Provider(library, media)
    runner = web.AppRunner(provider.app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        with ExitStack() as sockets:
            await web.TCPSite(runner, HOST, port).start()
            await web.TCPSite(runner, HOST, 0, ssl_context=_untrusted()).start()
            plain, encrypted = (address[1] for address in runner.addresses)
            places = {
                "provider": f"http://{HOST}:{plain}",
                "untrusted_tls": f"https://{HOST}:{encrypted}",
                "unresolvable": "http://provider.lab.invalid",
                "refused": f"http://{HOST}:{_closed_port(sockets)}",
                "silent": f"http://{HOST}:{_silent_port(sockets)}",
            }
            yield Lab(places["provider"], library, media, places)
    finally:
        await runner.cleanup()


def _untrusted() -> ssl.SSLContext:
    """A server whose certificate nobody's authority has signed, for another name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("somebody-else.invalid").configure_cert(context)
    return context


def _closed_port(sockets: ExitStack) -> int:
    """A port that refuses connections: bound, so that nobody else takes it, and not listening."""
    bound = sockets.enter_context(socket.socket())
    bound.bind((HOST, 0))
    return int(bound.getsockname()[1])


def _silent_port(sockets: ExitStack) -> int:
    """A port that lets connection attempts time out: listening with a queue that is full."""
    listening = sockets.enter_context(socket.socket())
    listening.bind((HOST, 0))
    listening.listen(0)
    for _ in range(4):
        waiting = sockets.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listening.getsockname())
    return int(listening.getsockname()[1])


@contextmanager
def running(library: Library, media: Media | Path, port: int = 0) -> Iterator[Lab]:
    """The lab in a thread; ``media`` may be the folder of the clips. Ends with every connection cut."""
    clips = media if isinstance(media, Media) else Media(media)
    started: asyncio.Queue[Lab] = asyncio.Queue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def live() -> None:
        async with serve(library, clips, port) as lab:
            started.put_nowait(lab)
            await stop.wait()

    whole = loop.create_task(live())
    thread = threading.Thread(target=loop.run_until_complete, args=(whole,), name="lab", daemon=True)
    thread.start()
    first = asyncio.run_coroutine_threadsafe(started.get(), loop)
    try:
        yield first.result(timeout=30)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)
        loop.close()
