"""Forms as bodies: routes read them as JSON objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.routing import APIRoute

FORM = "application/x-www-form-urlencoded"
# A form has at most this number of fields.
MAX_FIELDS = 100


class FormRoute(APIRoute):
    """A route whose JSON body may also come as a form; the last value of a repeated field counts."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route."""
        handle = super().get_route_handler()

        async def handle_form(request: Request) -> Response:
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
                request = _as_json(request, await request.body())
            return await handle(request)

        return handle_form


def _as_json(request: Request, form: bytes) -> Request:
    """Return a request with the fields of a form as its JSON body; a form that cannot be read has no fields."""
    try:
        fields = dict(parse_qsl(form.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        fields = {}
    body = json.dumps(fields).encode()
    headers = [pair for pair in request.scope["headers"] if pair[0] not in (b"content-type", b"content-length")]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({**request.scope, "headers": headers}, receive)
