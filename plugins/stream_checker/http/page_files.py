"""Static files of the page. They are public and hold no data; all data comes from the authorised routes."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE = Path(__file__).parents[1] / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{played}; "
    "media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "Referrer-Policy": "same-origin",
    # Browsers revalidate each time, so an upgrade shows at once.
    "Cache-Control": "no-cache",
}


class PageFiles(StaticFiles):
    """The folder ``page``. Its policy allows frames of this server only.

    The player alone may ask another server: Dispatcharr, below the path of its proxy. The browser does not follow a
    redirect from there to a provider. The player's media source is an object of the page (``blob:``).

    :param played: the address of that path, as a source of the policy; None when there is no proxy.
    """

    def __init__(self, played: str | None = None) -> None:
        super().__init__(directory=PAGE, html=True)
        self._headers = HEADERS | {"Content-Security-Policy": POLICY.format(played=f" {played}" if played else "")}

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file with the headers above."""
        response = await super().get_response(path, scope)
        response.headers.update(self._headers)
        return response

    async def docs(self, request: Request) -> Response:
        """Return the page that shows the OpenAPI document."""
        return await self.get_response("docs.html", request.scope)
