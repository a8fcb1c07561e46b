"""ETags of JSON responses: a request with the current tag gets a 304 without a body (RFC 9110, section 13.1.2)."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Browsers revalidate each time, and proxies store nothing, because the response depends on the user.
CACHE_CONTROL = "private, no-cache"


def etag(body: bytes) -> str:
    """Return the ETag of a body, with its quotes."""
    return f'"{hashlib.sha256(body).hexdigest()[:20]}"'


def is_current(tag: str, if_none_match: str | None) -> bool:
    """Return whether the header ``If-None-Match`` names the tag or ``*``."""
    return if_none_match is not None and (if_none_match.strip() == "*" or tag in if_none_match)


class ETags:
    """ASGI middleware that tags complete JSON responses to GET; streamed responses pass through unchanged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        if_none_match = Headers(scope=scope).get("if-none-match")
        held_start: Message | None = None

        async def send_tagged(message: Message) -> None:
            nonlocal held_start
            if message["type"] == "http.response.start" and _is_taggable(message):
                held_start = message
                return
            if held_start is not None and message["type"] == "http.response.body":
                start, held_start = held_start, None
                if not message.get("more_body"):
                    start, message = _tagged(start, message, if_none_match)
                await send(start)
            await send(message)

        await self._app(scope, receive, send_tagged)


def _is_taggable(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return start["status"] == 200 and headers.get("content-type") == "application/json" and "etag" not in headers


def _tagged(start: Message, body: Message, if_none_match: str | None) -> tuple[Message, Message]:
    tag = etag(body["body"])
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["ETag"] = tag
    headers.setdefault("Cache-Control", CACHE_CONTROL)
    if not is_current(tag, if_none_match):
        return {**start, "headers": headers.raw}, body
    for name in ("content-length", "content-type"):
        del headers[name]
    return {**start, "status": 304, "headers": headers.raw}, {**body, "body": b""}
