"""A stand-in for Dispatcharr's HTTP API over the lab's library. Tests read its state and inject faults."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from lab.library import Library, Stream

VERSION = "0.29.0"
# The path below which the proxy plays.
PLAYED = "/proxy/ts/stream/"
ACCESS_SECONDS = 30 * 60
REFRESH_SECONDS = 86_400
LOGINS_PER_MINUTE = 3
MAX_PAGE_SIZE = 10_000
# The fields of a channel that a client may change here.
_CHANGEABLE = ("streams", "name", "channel_number", "hidden_from_output")
# The events that StreamFlow understands, of those that Dispatcharr knows.
EVENTS = {
    "m3u_refresh", "channel_failover", "channel_error", "channel_start", "channel_stop", "stream_switch",
    "channel_reconnect",
}  # fmt: skip

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class State:
    """The state that clients change, and the viewers and faults that tests set."""

    channels: dict[int, dict[str, Any]]
    streams: dict[int, dict[str, Any]]
    accounts: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    viewers: list[dict[str, Any]] = field(default_factory=list)
    # Responses to the next requests, oldest first: {"status", "body", "path"}. The path is a prefix.
    faults: list[dict[str, Any]] = field(default_factory=list)
    # Webhooks by id, each with its subscriptions.
    integrations: dict[int, dict[str, Any]] = field(default_factory=dict)
    # Recordings, the guide's programmes, the guides, and the system settings, as Dispatcharr returns them.
    recordings: list[dict[str, Any]] = field(default_factory=list)
    programmes: list[dict[str, Any]] = field(default_factory=list)
    guides: list[dict[str, Any]] = field(default_factory=list)
    settings: list[dict[str, Any]] = field(default_factory=list)
    # Streams that the next refresh of their account brings, its length, errors by account, and refreshed accounts.
    coming: list[dict[str, Any]] = field(default_factory=list)
    refresh_seconds: float = 0.05
    refresh_errors: dict[int, str] = field(default_factory=dict)
    refreshes: list[int] = field(default_factory=list)
    writes: int = 0
    logins: int = 0


class Dispatcharr:
    """The routes of the stand-in. :attr:`app` is the aiohttp application.

    :param url_of: returns the URL of a stream at the provider.
    :param access_seconds: the life of an access token.
    """

    def __init__(
        self, library: Library, url_of: Callable[[Stream], str], *, access_seconds: float = ACCESS_SECONDS
    ) -> None:
        self.username, self.password = "admin", secrets.token_urlsafe(9)
        self.api_key = secrets.token_urlsafe(24)
        self.state = _initial(library, url_of)
        self._secret = secrets.token_urlsafe(32)
        self._access_seconds = access_seconds
        self._login_times: deque[float] = deque()
        self.app = web.Application(middlewares=[self._guard])
        get, post, patch = self.app.router.add_get, self.app.router.add_post, self.app.router.add_patch
        delete = self.app.router.add_delete
        post("/api/accounts/token/", self._login)
        post("/api/accounts/token/refresh/", self._refresh)
        get("/api/channels/channels/", self._channels)
        get("/api/channels/channels/{id:\\d+}/", self._channel)
        patch("/api/channels/channels/{id:\\d+}/", self._change_channel)
        get("/api/channels/channels/{id:\\d+}/streams/", self._channel_streams)
        get("/api/channels/groups/", self._groups)
        get("/api/channels/streams/", self._streams)
        get("/api/channels/streams/ids/", self._stream_ids)
        post("/api/channels/streams/by-ids/", self._streams_by_ids)
        get("/api/channels/streams/{id:\\d+}/", self._stream)
        patch("/api/channels/streams/{id:\\d+}/", self._change_stream)
        get("/api/m3u/accounts/", self._accounts)
        post("/api/m3u/refresh/{id:\\d+}/", self._refresh_account)
        get("/api/m3u/server-groups/", self._empty)
        get("/api/core/useragents/", self._user_agents)
        get("/api/core/settings/", self._settings)
        get("/api/channels/recordings/", self._recordings)
        get("/api/epg/grid/", self._grid)
        get("/api/epg/epgdata/", self._guides)
        get("/api/core/version/", self._version)
        get("/api/connect/integrations/", self._integrations)
        post("/api/connect/integrations/", self._add_integration)
        delete("/api/connect/integrations/{id:\\d+}/", self._remove_integration)
        post("/api/connect/integrations/{id:\\d+}/test/", self._test_integration)
        post("/api/connect/subscriptions/", self._subscribe)
        get("/proxy/ts/status", self._status)
        get(f"{PLAYED}{{id}}", self._play)
        self.app.on_response_prepare.append(_allow_every_origin)
        get("/lab/dispatcharr", self._read_back)
        post("/lab/dispatcharr", self._change_state)
        post("/lab/viewers", self._set_viewers)
        post("/lab/faults", self._set_faults)

    # -- authentication -------------------------------------------------------------------------
    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/lab/"):
            return await handler(request)
        if (fault := self._fault(request.path)) is not None:
            return fault
        if (
            not request.path.startswith(("/api/accounts/token/", PLAYED))
            and (refusal := self._unknown(request)) is not None
        ):
            return refusal
        return await handler(request)

    def _fault(self, path: str) -> web.Response | None:
        for place, fault in enumerate(self.state.faults):
            if path.startswith(fault.get("path", "/")):
                del self.state.faults[place]
                return web.Response(
                    status=fault["status"], text=fault.get("body", "<html>Bad gateway</html>"), content_type="text/html"
                )
        return None

    def _unknown(self, request: web.Request) -> web.Response | None:
        scheme, _, word = request.headers.get("Authorization", "").partition(" ")
        if self.api_key in (request.headers.get("X-API-Key"), word if scheme == "ApiKey" else None):
            return None
        if scheme != "Bearer":
            return _json({"detail": "Authentication credentials were not provided."}, 401)
        if self._valid(word, "access"):
            return None
        return _json({"detail": "Given token not valid for any token type", "code": "token_not_valid"}, 401)

    def _valid(self, token: str, kind: str) -> bool:
        try:
            claims: dict[str, Any] = jwt.decode(token, self._secret, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return False
        return bool(claims.get("token_type") == kind)

    def _token(self, kind: str, seconds: float) -> str:
        claims = {"token_type": kind, "exp": time.time() + seconds, "user_id": 1, "jti": uuid.uuid4().hex}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    async def _login(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        while self._login_times and now - self._login_times[0] > 60:
            self._login_times.popleft()
        if len(self._login_times) >= LOGINS_PER_MINUTE:
            wait = round(60 - (now - self._login_times[0]))
            return _json({"detail": f"Request was throttled. Expected available in {wait} seconds."}, 429)
        self._login_times.append(now)
        asked = await request.json()
        if (asked.get("username"), asked.get("password")) != (self.username, self.password):
            return _json({"detail": "No active account found with the given credentials"}, 401)
        self.state.logins += 1
        return _json(
            {"access": self._token("access", self._access_seconds), "refresh": self._token("refresh", REFRESH_SECONDS)}
        )

    async def _refresh(self, request: web.Request) -> web.Response:
        if not self._valid((await request.json()).get("refresh", ""), "refresh"):
            return _json({"detail": "Token is invalid or expired", "code": "token_not_valid"}, 401)
        return _json({"access": self._token("access", self._access_seconds)})

    # -- channels ----------------------------------------------------------------------------
    async def _channels(self, request: web.Request) -> web.Response:
        hidden = {"hidden": (True,), "all": (True, False)}.get(request.query.get("visibility_filter", ""), (False,))
        channels = [one for one in self.state.channels.values() if one["hidden_from_output"] in hidden]
        if "page" in request.query or "page_size" in request.query:
            return _page(request, channels)
        return _json(channels)

    async def _channel(self, request: web.Request) -> web.Response:
        return _found(self.state.channels, request)

    async def _change_channel(self, request: web.Request) -> web.Response:
        channel = self.state.channels.get(int(request.match_info["id"]))
        if channel is None:
            return _json({"detail": "No Channel matches the given query."}, 404)
        asked = await request.json()
        for stream_id in asked.get("streams", []):
            if stream_id not in self.state.streams:
                return _json({"streams": [f'Invalid pk "{stream_id}" - object does not exist.']}, 400)
        channel.update({name: asked[name] for name in _CHANGEABLE if name in asked})
        self.state.writes += 1
        return _json(channel)

    async def _channel_streams(self, request: web.Request) -> web.Response:
        channel = self.state.channels.get(int(request.match_info["id"]))
        if channel is None:
            return _json({"detail": "No Channel matches the given query."}, 404)
        return _json([self.state.streams[stream_id] for stream_id in channel["streams"]])

    async def _groups(self, request: web.Request) -> web.Response:
        del request
        return _json(self.state.groups)

    # -- streams -----------------------------------------------------------------------------
    def _listed(self, request: web.Request) -> list[dict[str, Any]]:
        active = {account["id"] for account in self.state.accounts if account["is_active"]}
        listed = [
            stream
            for stream in self.state.streams.values()
            if stream["m3u_account"] is None or stream["m3u_account"] in active
        ]
        if wanted := request.query.get("m3u_account"):
            ids = {int(word) for word in wanted.split(",")}
            listed = [stream for stream in listed if stream["m3u_account"] in ids]
        return sorted(listed, key=lambda stream: str(stream["name"]))

    async def _streams(self, request: web.Request) -> web.Response:
        if wanted := request.query.get("ids"):
            ids = {int(word) for word in wanted.split(",")}
            return _json([stream for stream in self._listed(request) if stream["id"] in ids])
        return _page(request, self._listed(request))

    async def _stream_ids(self, request: web.Request) -> web.Response:
        return _json([stream["id"] for stream in self._listed(request)])

    async def _streams_by_ids(self, request: web.Request) -> web.Response:
        ids = set((await request.json()).get("ids", []))
        return _json([stream for stream in self._listed(request) if stream["id"] in ids])

    async def _stream(self, request: web.Request) -> web.Response:
        return _found(self.state.streams, request)

    async def _change_stream(self, request: web.Request) -> web.Response:
        stream = self.state.streams.get(int(request.match_info["id"]))
        if stream is None:
            return _json({"detail": "No Stream matches the given query."}, 404)
        asked = await request.json()
        for name in ("stream_stats", "stream_stats_updated_at"):
            if name in asked:
                stream[name] = asked[name]
        self.state.writes += 1
        return _json(stream)

    # -- accounts and settings ---------------------------------------------------------------
    async def _accounts(self, request: web.Request) -> web.Response:
        del request
        return _json(self.state.accounts)

    async def _refresh_account(self, request: web.Request) -> web.Response:
        """Refresh a provider: its new streams come after ``refresh_seconds``, or an error."""
        number = int(request.match_info["id"])
        account = next((one for one in self.state.accounts if one["id"] == number), None)
        if account is None:
            return _json({"detail": "Not found."}, 404)
        account["status"] = "fetching"
        self.state.refreshes.append(number)
        asyncio.get_running_loop().call_later(self.state.refresh_seconds, self._end_refresh, account)
        return _json({"success": True, "message": "M3U account refresh initiated."}, 202)

    def _end_refresh(self, account: dict[str, Any]) -> None:
        if error := self.state.refresh_errors.get(account["id"]):
            account |= {"status": "error", "last_message": error}
            return
        coming = [stream for stream in self.state.coming if stream["m3u_account"] == account["id"]]
        self.state.coming = [stream for stream in self.state.coming if stream not in coming]
        self.state.streams.update({stream["id"]: stream for stream in coming})
        account |= {"status": "success", "updated_at": _now()}

    async def _user_agents(self, request: web.Request) -> web.Response:
        del request
        return _json([{"id": 1, "name": "VLC", "user_agent": "VLC/3.0.20 LibVLC/3.0.20"}])

    async def _empty(self, request: web.Request) -> web.Response:
        del request
        return _json([])

    async def _settings(self, request: web.Request) -> web.Response:
        del request
        return _json(self.state.settings)

    async def _recordings(self, request: web.Request) -> web.Response:
        del request
        return _json(self.state.recordings)

    async def _grid(self, request: web.Request) -> web.Response:
        del request
        return _json({"data": self.state.programmes})

    async def _guides(self, request: web.Request) -> web.Response:
        del request
        return _json(self.state.guides)

    async def _version(self, request: web.Request) -> web.Response:
        del request
        return _json({"version": VERSION, "timestamp": None})

    async def _status(self, request: web.Request) -> web.Response:
        del request
        return _json({"channels": self.state.viewers, "count": len(self.state.viewers)})

    async def _play(self, request: web.Request) -> web.StreamResponse:
        """Play a channel by its UUID or a stream by its hash, without a login. It counts as a viewer meanwhile."""
        stream = self._played(request.match_info["id"])
        if stream is None:
            return _json({"error": "Not found."}, 404)
        viewer = {
            "channel_id": request.match_info["id"], "state": "active", "client_count": 1, "stream_id": stream["id"],
            "m3u_profile_id": stream["m3u_account"] * 10, "url": stream["url"], "uptime": 0.0,
        }  # fmt: skip
        try:
            async with (
                ClientSession(timeout=ClientTimeout(total=None, sock_read=10), auto_decompress=False) as client,
                client.get(stream["url"]) as upstream,
            ):
                if upstream.status != 200:
                    return _json({"error": "No available streams for this channel", "waited": "0s"}, 503)
                response = web.StreamResponse(headers={"Content-Type": "video/mp2t", "Cache-Control": "no-cache"})
                self.state.viewers.append(viewer)
                await response.prepare(request)
                async for part in upstream.content.iter_any():
                    await response.write(part)
                return response
        except ClientError as error:
            return _json({"error": str(error)}, 503)
        finally:
            self.state.viewers = [one for one in self.state.viewers if one is not viewer]

    def _played(self, id: str) -> dict[str, Any] | None:
        for channel in self.state.channels.values():
            if channel["uuid"] == id and channel["streams"]:
                return self.state.streams.get(channel["streams"][0])
        return next((one for one in self.state.streams.values() if one["stream_hash"] == id), None)

    # -- webhooks ----------------------------------------------------------------------------
    async def _integrations(self, request: web.Request) -> web.Response:
        del request
        return _json(list(self.state.integrations.values()))

    async def _add_integration(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked.get("type") != "webhook" or not asked.get("config", {}).get("url"):
            return _json({"config": ["Webhook config must include a 'url' string"]}, 400)
        number = max(self.state.integrations, default=0) + 1
        self.state.integrations[number] = {"enabled": True, "subscriptions": []} | asked | {"id": number}
        return _json(self.state.integrations[number], 201)

    async def _remove_integration(self, request: web.Request) -> web.Response:
        removed = self.state.integrations.pop(int(request.match_info["id"]), None)
        return _json({"detail": "Not found."}, 404) if removed is None else web.Response(status=204)

    async def _subscribe(self, request: web.Request) -> web.Response:
        asked = await request.json()
        integration = self.state.integrations.get(asked.get("integration"))
        if integration is None:
            return _json({"integration": [f'Invalid pk "{asked.get("integration")}" - object does not exist.']}, 400)
        if asked.get("event") not in EVENTS:
            return _json({"event": [f'"{asked.get("event")}" is not a valid choice.']}, 400)
        integration["subscriptions"].append(asked)
        return _json(asked, 201)

    async def _test_integration(self, request: web.Request) -> web.Response:
        """Send a test event as a form, as Dispatcharr does."""
        integration = self.state.integrations.get(int(request.match_info["id"]))
        if integration is None:
            return _json({"detail": "Integration not found"}, 404)
        config = integration["config"]
        payload = {"event": "test", "timestamp": _now(), "channel_name": "Test Channel", "test": "True"}
        timeout = ClientTimeout(total=10)
        try:
            async with (
                ClientSession(timeout=timeout) as client,
                client.post(config["url"], data=payload, headers=config.get("headers")) as reply,
            ):
                result = {"status_code": reply.status, "body": await reply.text(), "success": reply.ok}
        except ClientError as error:
            return _json({"success": False, "type": "webhook", "request_payload": payload, "error": str(error)}, 502)
        report = {"success": result["success"], "type": "webhook", "request_payload": payload, "result": result}
        return _json(report)

    # -- routes of the lab -----------------------------------------------------------------------
    async def _read_back(self, request: web.Request) -> web.Response:
        del request
        state = self.state
        return _json(
            {
                "channels": list(state.channels.values()),
                "streams": list(state.streams.values()),
                "integrations": list(state.integrations.values()),
                "viewers": state.viewers,
                "writes": state.writes,
                "logins": state.logins,
            }
        )

    async def _change_state(self, request: web.Request) -> web.Response:
        """Change the streams of channels as a person would, and set the streams that the next refresh brings."""
        asked = await request.json()
        for channel_id, streams in asked.get("channels", {}).items():
            self.state.channels[int(channel_id)]["streams"] = streams
        # Each is like another stream, except for the values that are given.
        self.state.coming = [self.state.streams[one.pop("like")] | one for one in asked.get("coming", [])]
        return _json({})

    async def _set_viewers(self, request: web.Request) -> web.Response:
        self.state.viewers = (await request.json())["channels"]
        return _json({})

    async def _set_faults(self, request: web.Request) -> web.Response:
        self.state.faults = (await request.json())["faults"]
        await asyncio.sleep(0)
        return _json({})


def _initial(library: Library, url_of: Callable[[Stream], str]) -> State:
    custom_id = max((account.id for account in library.accounts), default=0) + 1
    custom = {
        "id": custom_id, "name": "custom", "account_type": "STD", "server_url": None, "username": None,
        "password": "", "max_streams": 0, "is_active": True,
        "profiles": [
            {
                "id": custom_id * 10, "name": "custom Default", "max_streams": 0, "is_active": True,
                "is_default": True, "current_viewers": 0, "search_pattern": "^(.*)$", "replace_pattern": "$1",
                "exp_date": None, "custom_properties": {},
            }
        ],
    }  # fmt: skip
    accounts: list[dict[str, Any]] = [
        {
            "id": account.id, "name": account.name, "account_type": account.account_type,
            "server_url": "http://provider.lab.invalid", "username": account.username,
            # An administrator's reply holds the password, also inside each profile as the panel sent it.
            "password": account.password,
            "max_streams": account.max_streams, "is_active": account.is_active, "status": "success", "user_agent": 1,
            "updated_at": "2026-01-01T00:00:00Z", "last_message": None,
            "server_group": None, "custom_properties": {}, "stale_stream_days": 7, "priority": 0, "exp_date": None,
            "profiles": [
                {
                    "id": account.id * 10, "name": f"{account.name} Default", "max_streams": account.max_streams,
                    "is_active": True, "is_default": True, "current_viewers": 0, "search_pattern": "^(.*)$",
                    "replace_pattern": "$1", "exp_date": None,
                    "custom_properties": {
                        "user_info": {"username": account.username, "password": account.password, "auth": 1}
                    },
                }
            ],
        }
        for account in library.accounts
    ]  # fmt: skip
    streams = {
        stream.id: {
            "id": stream.id, "name": stream.name, "url": url_of(stream), "m3u_account": stream.account_id,
            "channel_group": stream.group_id, "tvg_id": None, "logo_url": None, "is_custom": False,
            "is_stale": False, "is_adult": False, "last_seen": _now(), "updated_at": _now(),
            "stream_hash": uuid.uuid5(uuid.NAMESPACE_URL, str(stream.id)).hex, "stream_id": stream.id,
            "stream_chno": None, "current_viewers": 0, "stream_stats": None, "stream_stats_updated_at": None,
        }
        for stream in library.streams
    }  # fmt: skip
    channels = {
        channel.id: {
            "id": channel.id, "channel_number": channel.number, "name": channel.name,
            "channel_group_id": channel.group_id, "streams": list(channel.stream_ids),
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"channel {channel.id}")), "auto_created": False,
            "hidden_from_output": False, "tvg_id": None, "effective_name": channel.name,
            "effective_channel_number": channel.number, "effective_channel_group_id": channel.group_id,
        }
        for channel in library.channels
    }  # fmt: skip
    groups = [{"id": group.id, "name": group.name, "channel_count": None} for group in library.groups]
    return State(channels, streams, [*accounts, custom], groups)


async def _allow_every_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Let every page read the response, as Dispatcharr's CORS_ALLOW_ALL_ORIGINS does."""
    del request
    response.headers["Access-Control-Allow-Origin"] = "*"


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _json(data: Any, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(data), status=status, content_type="application/json")


def _found(records: dict[int, dict[str, Any]], request: web.Request) -> web.Response:
    record = records.get(int(request.match_info["id"]))
    return _json({"detail": "Not found."}, 404) if record is None else _json(record)


def _page(request: web.Request, records: list[dict[str, Any]]) -> web.Response:
    size = min(int(request.query.get("page_size", 50)), MAX_PAGE_SIZE)
    number = int(request.query.get("page", 1))
    if number < 1 or (number > 1 and (number - 1) * size >= len(records)):
        return _json({"detail": "Invalid page."}, 404)

    def link(wanted: int) -> str | None:
        if not 1 <= wanted <= max(1, -(-len(records) // size)):
            return None
        return str(request.url.update_query(page=wanted))

    return _json(
        {
            "count": len(records),
            "next": link(number + 1),
            "previous": link(number - 1),
            "results": records[(number - 1) * size : number * size],
        }
    )
