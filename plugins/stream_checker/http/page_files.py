"""The page's files. They hold nothing secret and are public; all data comes over the authorised routes."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # Asked anew with their ETag, so that an upgrade is seen at once.
    "Cache-Control": "no-cache",
}


class PageFiles(StaticFiles):
    """The folder ``page``, for this server's own frames only and without a request to any other."""

    def __init__(self) -> None:
        super().__init__(directory=Path(__file__).parents[1] / "page", html=True)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response

    async def docs(self, request: Request) -> Response:
        """The page that shows the OpenAPI document."""
        return await self.get_response("docs.html", request.scope)
