"""A limit on request bodies, enforced before a body is parsed and before the caller is authorised."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_checker.http.problems import problem_response

LIMIT_BYTES = 64 * 1024
SETTINGS_LIMIT_BYTES = 1024 * 1024
SETTINGS_PATHS = re.compile(r"/(concurrency/config|settings(/\w+)?|policies(/\w+)?)$")


class BodyLimit:
    """ASGI middleware that sends a 413 for a body above the limit, whether or not its length is declared.

    It receives the whole body before it calls the application, so the application never sees a part of a refused body.
    The server discards the rest of a refused body as it arrives.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = SETTINGS_LIMIT_BYTES if SETTINGS_PATHS.search(scope["path"]) else LIMIT_BYTES
        message = None if _declared_length(scope) > limit else await _receive_body(receive, limit)
        if message is None:
            detail = f"The body of the request is larger than {limit // 1024} KiB."
            await problem_response(scope["path"], 413, detail)(scope, receive, send)
            return
        await self._app(scope, _replay(message, receive), send)


def _declared_length(scope: Scope) -> float:
    declared = Headers(scope=scope).get("content-length", "")
    # Unlike int(), float() accepts a number of any length.
    return float(declared) if declared.isdecimal() else 0


async def _receive_body(receive: Receive, limit: int) -> Message | None:
    """Return the whole body as one message, or the client's disconnect; None when the body is above the limit."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body"):
            return {"type": "http.request", "body": bytes(body), "more_body": False}


def _replay(message: Message, receive: Receive) -> Receive:
    """Return a ``receive`` that returns the message first, and then the server's messages."""
    pending = [message]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed
