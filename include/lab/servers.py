"""The lab's servers on loopback, inside a running event loop or in a thread for synchronous code."""

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

from lab.dispatcharr import Dispatcharr
from lab.library import Library, Stream
from lab.media import Media
from lab.provider import Provider

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Servers:
    """The lab's applications, for code that runs in the same event loop."""

    provider: Provider
    dispatcharr: Dispatcharr


@dataclass(frozen=True)
class Lab:
    """A running lab: the addresses of its servers and the library that they serve."""

    provider: str
    dispatcharr: str
    library: Library
    media: Media
    places: dict[str, str]
    servers: Servers

    def addresses(self) -> dict[str, str]:
        """Return the data that a client needs: the addresses and Dispatcharr's login."""
        return {
            "provider": self.provider,
            "dispatcharr": self.dispatcharr,
            "username": self.servers.dispatcharr.username,
            "password": self.servers.dispatcharr.password,
            "api_key": self.servers.dispatcharr.api_key,
        }

    def url(self, stream: Stream | int | str, kind: str | None = None) -> str:
        """Return the URL of a stream. Make its media first, so that no client waits for them.

        :param stream: the stream, its id or its name.
        :param kind: ``ts``, ``m3u8`` or ``mpd``. None means the kind that the stream is served in.
        """
        if isinstance(stream, int):
            stream = self.library.stream[stream]
        elif isinstance(stream, str):
            stream = self.library.named(stream)
        self.media.clip(stream.clip)
        return _url(self.library, self.places, stream, kind)

    def record(self, connections: bool = False) -> dict[str, Any]:
        """Return the provider's current figures."""
        query = "?connections=1" if connections else ""
        return dict(httpx.get(f"{self.provider}/lab/record{query}", trust_env=False).raise_for_status().json())

    def account_record(self, account_id: int) -> dict[str, Any]:
        """Return the figures of one account from :meth:`record`."""
        return next(dict(line) for line in self.record()["accounts"] if line["id"] == account_id)

    def set_outages(self, **outages: int) -> None:
        """Let the provider refuse all streams of some accounts.

        :param outages: the status that each account receives, by the account's name. 0 closes the connection without a
            response.
        """
        ids = {account.name: account.id for account in self.library.accounts}
        body = {"outages": {ids[name]: status for name, status in outages.items()}}
        httpx.post(f"{self.provider}/lab/outages", json=body, trust_env=False).raise_for_status()

    def reset(self) -> None:
        """Reset the provider's figures."""
        httpx.post(f"{self.provider}/lab/reset", trust_env=False).raise_for_status()


@asynccontextmanager
async def serve(library: Library, media: Media, host: str = LOOPBACK) -> AsyncIterator[Lab]:
    """Serve the lab on free ports of the running event loop.

    :param host: the address of this machine that it listens on.
    """
    provider, in_url = Provider(library, media), f"[{host}]" if ":" in host else host
    async with _listening(provider.app, host, [None, _untrusted()]) as (plain, encrypted):
        with ExitStack() as sockets:
            places = {
                "provider": f"http://{in_url}:{plain}",
                "untrusted_tls": f"https://{in_url}:{encrypted}",
                "not_tls": f"https://{in_url}:{plain}",
                "unresolvable": "http://provider.lab.invalid",
                "refused": f"http://{in_url}:{_closed_port(sockets, host)}",
                "silent": f"http://{in_url}:{_silent_port(sockets, host)}",
            }
            dispatcharr = Dispatcharr(library, lambda stream: _url(library, places, stream))
            async with _listening(dispatcharr.app, host, [None]) as (port,):
                address = f"http://{in_url}:{port}"
                yield Lab(places["provider"], address, library, media, places, Servers(provider, dispatcharr))


@asynccontextmanager
async def _listening(
    app: web.Application, host: str, contexts: list[ssl.SSLContext | None]
) -> AsyncIterator[list[int]]:
    """Serve an application on a free port for each TLS context. Cut its connections at the end."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        for context in contexts:
            await web.TCPSite(runner, host, 0, ssl_context=context).start()
        yield [address[1] for address in runner.addresses]
    finally:
        await runner.cleanup()


def _url(library: Library, places: dict[str, str], stream: Stream, kind: str | None = None) -> str:
    account = library.account[stream.account_id]
    kind = kind or (("mpd" if stream.hls.dash else "m3u8") if stream.hls else "ts")
    return f"{places[stream.place]}/live/{account.username}/{account.password}/{stream.id}.{kind}"


def _untrusted() -> ssl.SSLContext:
    """Return a TLS context with a certificate from an unknown authority for another name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("somebody-else.invalid").configure_cert(context)
    return context


def _closed_port(sockets: ExitStack, host: str) -> int:
    """Return a port that refuses connections: it is bound, so that no other process takes it, and does not listen."""
    bound = sockets.enter_context(socket.socket(_family(host)))
    bound.bind((host, 0))
    return int(bound.getsockname()[1])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _silent_port(sockets: ExitStack, host: str) -> int:
    """Return a port on which connection attempts time out: it listens with a full queue."""
    listening = sockets.enter_context(socket.socket(_family(host)))
    listening.bind((host, 0))
    listening.listen(0)
    for _ in range(4):
        waiting = sockets.enter_context(socket.socket(_family(host)))
        waiting.setblocking(False)
        waiting.connect_ex(listening.getsockname())
    return int(listening.getsockname()[1])


@contextmanager
def running(library: Library, media: Media | Path) -> Iterator[Lab]:
    """Run the lab in a thread until the end of the block. Cut every connection at the end.

    :param media: the clips, or their folder.
    """
    clips = media if isinstance(media, Media) else Media(media)
    started: asyncio.Queue[Lab] = asyncio.Queue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def live() -> None:
        async with serve(library, clips) as lab:
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
