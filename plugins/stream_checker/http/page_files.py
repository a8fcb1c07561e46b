"""Static files of the page. They are public and hold no data; all data comes from the authorised routes."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE = Path(__file__).parents[1] / "page"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    # Browsers revalidate each time, so an upgrade shows at once.
    "Cache-Control": "no-cache",
}


class PageFiles(StaticFiles):
    """The folder ``page``. Its policy allows frames of this server only, and requests to no other server."""

    def __init__(self) -> None:
        super().__init__(directory=PAGE, html=True)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file with the headers above."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response

    async def docs(self, request: Request) -> Response:
        """Return the page that shows the OpenAPI document."""
        return await self.get_response("docs.html", request.scope)
