"""ETags on every JSON answer: who asks again with the tag of what it has gets a 304 in place of the same again."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Asked anew each time, and never kept by a proxy: what it answers depends on who asks.
CACHE = "private, no-cache"


class ETags:
    """Tags whole answers to GET; what is streamed passes through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        held: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_taggable(message):
                held = message
                return
            if held is not None and message["type"] == "http.response.body":
                start, held = held, None
                if not message.get("more_body"):
                    start, message = _answer(start, message, known)
                await send(start)
            await send(message)

        await self._app(scope, receive, tagged)


def _is_taggable(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return start["status"] == 200 and headers.get("content-type") == "application/json" and "etag" not in headers


def _answer(start: Message, body: Message, known: str) -> tuple[Message, Message]:
    tag = f'"{hashlib.sha256(body["body"]).hexdigest()[:20]}"'
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["ETag"] = tag
    headers.setdefault("Cache-Control", CACHE)
    if known.strip() != "*" and tag not in known:
        return {**start, "headers": headers.raw}, body
    for name in ("content-length", "content-type"):
        del headers[name]
    return {**start, "status": 304, "headers": headers.raw}, {**body, "body": b""}
