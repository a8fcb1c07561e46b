"""The simulated provider: live streams over HTTP within the limits of its accounts, and a record of all connections."""

from __future__ import annotations

import asyncio
import secrets

from aiohttp import web

from lab import behaviours
from lab.hls import Playlists
from lab.ledger import Ledger
from lab.library import PLAY, Account, Library, Stream
from lab.media import Media
from lab.panel import Panel
from lab.timeline import Timeline

_REFUSAL_TEXT = "Maximum number of connections reached"
RETRY_AFTER_SECONDS = 2
SLATE = "slate"


class Provider:
    """The routes of the provider. :attr:`app` is the aiohttp application."""

    def __init__(self, library: Library, media: Media) -> None:
        self.library = library
        self.ledger = Ledger(list(library.accounts))
        self.is_ready = False
        # The status that each account without service receives. 0 closes the connection without a response.
        self.outages: dict[int, int] = {}
        self._media = media
        self._timelines: dict[str, Timeline] = {}
        self._logins = {(account.username, account.password): account for account in library.accounts}
        self._tokens: dict[str, tuple[Account, Stream, int]] = {}
        self.app = web.Application()
        self.app.router.add_get("/live/{username}/{password}/{number:\\d+}.ts", self._live)
        self.app.router.add_get("/edge/{token}/{number:\\d+}.ts", self._edge)
        self.app.router.add_get("/lab/ready", self._ready)
        self.app.router.add_get("/lab/record", self._record)
        self.app.router.add_post("/lab/reset", self._reset)
        self.app.router.add_post("/lab/outages", self._set_outages)
        self.app.router.add_post("/lab/lingers", self._set_lingers)
        Playlists(self).add_routes(self.app.router)
        Panel(self).add_routes(self.app.router)

    async def timeline(self, clip: str) -> Timeline:
        """Return the endless stream of a clip, which all clients share. Make the clip if it does not exist."""
        if clip not in self._timelines:
            made = await asyncio.to_thread(self._media.clip, clip)
            self._timelines.setdefault(clip, Timeline(made))
        return self._timelines[clip]

    def account(self, username: str, password: str) -> Account | None:
        """Return the account with a login, even if it is inactive."""
        return self._logins.get((username, password))

    def login(self, request: web.Request) -> Account:
        """Return the account that the path of a request names.

        :raises aiohttp.web.HTTPUnauthorized: the login is wrong or the account is inactive.
        """
        account = self.account(request.match_info["username"], request.match_info["password"])
        if account is None or not account.is_active:
            raise web.HTTPUnauthorized(text="Invalid username or password")
        return account

    def wanted(self, request: web.Request, account: Account) -> Stream:
        """Return the stream that the path of a request names.

        :raises aiohttp.web.HTTPNotFound: the account has no such stream.
        """
        stream = self.library.stream.get(int(request.match_info["number"]))
        if stream is None or stream.account_id != account.id:
            raise web.HTTPNotFound(text="No such stream")
        return stream

    async def _live(self, request: web.Request) -> web.StreamResponse:
        account = self.login(request)
        stream = self.wanted(request, account)
        if account.id in self.outages:
            return self._outage(request, account)
        if stream.behaviour.hops:
            raise self._redirect(account, stream, stream.behaviour.hops)
        return await self._watch(request, account, stream)

    def _outage(self, request: web.Request, account: Account) -> web.StreamResponse:
        self.ledger.refuse(account)
        status = self.outages[account.id]
        if not status and request.transport:
            request.transport.abort()
        return _closing(status or 500, {})

    async def _set_outages(self, request: web.Request) -> web.Response:
        self.outages = {int(account): status for account, status in (await request.json())["outages"].items()}
        return web.json_response({})

    async def _set_lingers(self, request: web.Request) -> web.Response:
        self.ledger.lingers |= {int(account): seconds for account, seconds in (await request.json())["lingers"].items()}
        return web.json_response({})

    async def _edge(self, request: web.Request) -> web.StreamResponse:
        """Serve the stream at the end of a chain of redirects, or redirect again. A token is valid once."""
        account, stream, hops = self._tokens.pop(request.match_info["token"], (None, None, 0))
        if account is None or stream is None:
            raise web.HTTPForbidden(text="Token expired")
        if hops:
            raise self._redirect(account, stream, hops)
        return await self._watch(request, account, stream)

    def _redirect(self, account: Account, stream: Stream, hops: int) -> web.HTTPFound:
        token = secrets.token_urlsafe(12)
        self._tokens[token] = account, stream, hops - 1
        return web.HTTPFound(f"/edge/{token}/{stream.id}.ts")

    async def _watch(self, request: web.Request, account: Account, stream: Stream) -> web.StreamResponse:
        connection = self.ledger.admit(account, stream.id, request.transport)
        if connection is None and account.refusal == "slate":
            # A picture reports the refusal instead of a status.
            await behaviours.send(request, await self.timeline(SLATE), PLAY)
            return web.Response()
        if connection is None:
            return self.refusal(account)
        try:
            await behaviours.send(request, await self.timeline(stream.clip), stream.behaviour)
        except behaviours.Refused as answer:
            return _closing(answer.status, answer.headers)
        except ConnectionResetError:
            pass
        finally:
            self.ledger.close(connection)
        return web.Response()

    @staticmethod
    def refusal(account: Account) -> web.Response:
        """Return the response to a connection above the limit."""
        if not account.refusal.isdigit():
            raise RuntimeError(f"an account of the policy {account.refusal!r} refuses none of these")
        status = int(account.refusal)
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in (429, 503) else {}
        return _closing(status, headers, _REFUSAL_TEXT)

    async def make_media(self) -> None:
        """Make every clip that the library names, so that no client waits for a clip."""
        clips = {stream.clip for stream in self.library.streams}
        clips.update(variant for stream in self.library.streams if stream.hls for variant in stream.hls.variants)
        for clip in sorted(clips):
            await self.timeline(clip)
        self.is_ready = True

    async def _ready(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"ready": self.is_ready}, status=200 if self.is_ready else 503)

    async def _record(self, request: web.Request) -> web.Response:
        return web.json_response(self.ledger.record("connections" in request.query))

    async def _reset(self, request: web.Request) -> web.Response:
        del request
        self.ledger.reset()
        return web.json_response({})


def _closing(status: int, headers: dict[str, str], text: str = "") -> web.Response:
    response = web.Response(status=status, headers=headers, text=text)
    response.force_close()
    return response
