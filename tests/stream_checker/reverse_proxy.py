"""A reverse proxy as people put before Airflow: all under a path prefix is passed on, whatever else is a 404."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

# What holds for one connection alone, and what the proxy says anew.
OWN = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "date", "server"}


class ReverseProxy:
    """``upstream`` is set when it is known; it gets the prefix to see, as Airflow needs it."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.upstream = ""
        self.address = ""

    async def forward(self, request: web.Request) -> web.StreamResponse:
        if not request.path.startswith(f"{self.prefix}/"):
            raise web.HTTPNotFound
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OWN}
        body = await request.read()
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, self.upstream + request.raw_path, headers=headers, data=body, allow_redirects=False
            ) as answer,
        ):
            response = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in OWN:
                    response.headers.add(name, value)
            await response.prepare(request)
            async for part in answer.content.iter_any():
                await response.write(part)
            return response


@contextmanager
def running(prefix: str) -> Iterator[ReverseProxy]:
    """The proxy on a port of its own."""
    proxy, loop, ready = ReverseProxy(prefix), asyncio.new_event_loop(), threading.Event()

    async def serve() -> web.AppRunner:
        app = web.Application(handler_args={"handler_cancellation": True})
        app.router.add_route("*", "/{path:.*}", proxy.forward)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        proxy.address = f"http://127.0.0.1:{runner.addresses[0][1]}{prefix}"
        ready.set()
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
