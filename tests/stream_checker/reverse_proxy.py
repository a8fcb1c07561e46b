"""A reverse proxy in front of Airflow: it forwards requests under a path prefix and rejects others with a 404."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

# Hop-by-hop headers (RFC 9110, section 7.6.1), and those that the proxy writes itself.
HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "date", "server"}


class ReverseProxy:
    """Forwards requests to ``upstream`` with their path prefix, as Airflow requires it."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.upstream = ""
        self.address = ""

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Forward one request."""
        if not request.path.startswith(f"{self.prefix}/"):
            raise web.HTTPNotFound
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_HEADERS}
        body = await request.read()
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, self.upstream + request.raw_path, headers=headers, data=body, allow_redirects=False
            ) as upstream_response,
        ):
            response = web.StreamResponse(status=upstream_response.status)
            for name, value in upstream_response.headers.items():
                if name.lower() not in HOP_HEADERS:
                    response.headers.add(name, value)
            await response.prepare(request)
            async for part in upstream_response.content.iter_any():
                await response.write(part)
            return response


@contextmanager
def running(prefix: str) -> Iterator[ReverseProxy]:
    """Run the proxy on its own port."""
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
