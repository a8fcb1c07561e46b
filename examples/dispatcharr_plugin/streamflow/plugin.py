"""A plugin of Dispatcharr that shows StreamFlow's status and checks a channel now.

It runs inside Dispatcharr, so it uses the standard library alone. docs/use/webhooks.md tells how to install it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

MANIFEST = json.loads(Path(__file__).with_name("plugin.json").read_text())
ROUTES = "/api/stream-checker"
SECONDS = 10
MAX_BYTES = 1 << 20


class Refused(Exception):
    """StreamFlow rejected a request, or cannot be reached; the message says why."""


class Plugin:
    """The plugin as Dispatcharr calls it."""

    name: str = MANIFEST["name"]
    version: str = MANIFEST["version"]
    description: str = MANIFEST["description"]
    author: str = MANIFEST["author"]
    fields: list[dict[str, Any]] = MANIFEST["fields"]
    actions: list[dict[str, Any]] = MANIFEST["actions"]

    def run(self, action: str, params: dict[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
        """Run an action, and return its status and a message for the page of plugins."""
        settings = context.get("settings") or {}
        try:
            match action:
                case "status":
                    return {"status": "ok", "message": _status(settings)}
                case "check":
                    return {"status": "ok", "message": _check(settings)}
                case _:
                    return {"status": "error", "message": f"unknown action {action}"}
        except Refused as error:
            return {"status": "error", "message": str(error)}


def _status(settings: Mapping[str, Any]) -> str:
    status = _request(settings, "GET", f"{ROUTES}/concurrency/status")
    limits = [
        f"{account['name']}: {account['active']} of {account['max_streams'] or 'any number of'} connections"
        + (f", {account['viewers']} watched" if account["viewers"] else "")
        + (f", {account['waiting']} waiting" if account["waiting"] else "")
        for account in status["accounts"]
    ]
    page = f"{_address(settings)}{ROUTES}/page/"
    return "\n".join([f"{status['global']['active']} checks are running. {page}", *limits])


def _check(settings: Mapping[str, Any]) -> str:
    channel = str(settings.get("channel") or "").strip()
    if not channel:
        raise Refused("enter the name of a channel into the settings, and save them")
    started = _request(settings, "POST", f"{ROUTES}/checks", {"channels": [channel], "force": True})
    return f"The check of {channel} has started: run {started['run_id']}."


def _address(settings: Mapping[str, Any]) -> str:
    return str(settings.get("address") or "").rstrip("/")


def _request(settings: Mapping[str, Any], method: str, path: str, body: Any = None) -> Any:
    """Return the JSON of a response.

    :raises Refused: when the login, the network or the request is at fault.
    """
    login = {"username": settings.get("username"), "password": settings.get("password")}
    token = _send(settings, "POST", "/auth/token", login, {})["access_token"]
    return _send(settings, method, path, body, {"Authorization": f"Bearer {token}"})


def _send(settings: Mapping[str, Any], method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    address = _address(settings)
    if not address.startswith(("http://", "https://")):
        raise Refused("the address has to begin with http:// or https://")
    data = None if body is None else json.dumps(body).encode()
    request = Request(address + path, data, {"Content-Type": "application/json", **headers}, method=method)
    try:
        with urlopen(request, timeout=SECONDS) as response:
            return json.loads(response.read(MAX_BYTES))
    except HTTPError as error:
        raise Refused(_reason(error)) from error
    except (URLError, OSError, ValueError) as error:
        raise Refused(f"StreamFlow cannot be reached at {address}: {error}") from error


def _reason(error: HTTPError) -> str:
    if error.code == 401:
        return "Airflow rejected the user or the password"
    try:
        detail = json.loads(error.read(MAX_BYTES)).get("detail")
    except (ValueError, AttributeError):
        detail = None
    return str(detail or f"StreamFlow replied {error.code}")
