"""The provider's Xtream panel ``player_api.php``. Like real panels, it writes numbers as text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from lab.library import Account, Stream

if TYPE_CHECKING:
    from lab.provider import Provider


class Panel:
    """The route of the panel. Its numbers of connections are the provider's own count."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the route to a router."""
        router.add_get("/player_api.php", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        account = self._provider.account(request.query.get("username", ""), request.query.get("password", ""))
        if account is None:
            return web.json_response({"user_info": {"auth": 0}})
        streams = [stream for stream in self._provider.library.streams if stream.account_id == account.id]
        match request.query.get("action"):
            case "get_live_categories":
                return web.json_response(self._categories(streams))
            case "get_live_streams":
                return web.json_response([_live(number, stream) for number, stream in enumerate(streams, 1)])
            case _:
                return web.json_response({"user_info": self._user(account), "server_info": _server(request)})

    def _user(self, account: Account) -> dict[str, Any]:
        return {
            "username": account.username, "password": account.password, "message": "", "auth": 1,
            "status": "Active" if account.is_active else "Disabled", "exp_date": None, "is_trial": "0",
            "active_cons": str(self._provider.ledger.counted(account)), "created_at": "1600000000",
            "max_connections": str(account.max_streams), "allowed_output_formats": ["m3u8", "ts"],
        }  # fmt: skip

    def _categories(self, streams: list[Stream]) -> list[dict[str, Any]]:
        used = {stream.group_id for stream in streams}
        groups = [group for group in self._provider.library.groups if group.id in used]
        return [{"category_id": str(group.id), "category_name": group.name, "parent_id": 0} for group in groups]


def _live(number: int, stream: Stream) -> dict[str, Any]:
    return {
        "num": number, "name": stream.name, "stream_type": "live", "stream_id": stream.id, "stream_icon": "",
        "epg_channel_id": None, "added": "1600000000", "custom_sid": "", "tv_archive": 0, "direct_source": "",
        "tv_archive_duration": 0, "category_id": None if stream.group_id is None else str(stream.group_id),
    }  # fmt: skip


def _server(request: web.Request) -> dict[str, Any]:
    return {
        "url": request.url.host, "port": str(request.url.port), "https_port": "", "server_protocol": request.scheme,
        "rtmp_port": "", "timezone": "UTC", "timestamp_now": int(time.time()),
        "time_now": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
    }  # fmt: skip
