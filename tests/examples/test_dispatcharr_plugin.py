"""Dispatcharr's plugin uses StreamFlow's routes as they are."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "dispatcharr_plugin" / "streamflow"
STATUS = {
    "global": {"limit": 10, "active": 3, "waiting": 1},
    "accounts": [
        {"name": "North", "max_streams": 2, "active": 1, "viewers": 1, "waiting": 1},
        {"name": "Endless", "max_streams": 0, "active": 2, "viewers": 0, "waiting": 0},
    ],
}
UNKNOWN = {"detail": "channels: there is no 'Das Erst'; did you mean 'Das Erste'?"}


class StreamFlow(BaseHTTPRequestHandler):
    """The routes that the plugin uses."""

    def do_GET(self) -> None:
        self._reply(*((200, STATUS) if self.headers["Authorization"] == "Bearer token" else (401, {})))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/auth/token":
            self._reply(*((201, {"access_token": "token"}) if body["password"] == "right" else (401, {})))
        elif body == {"channels": ["Das Erste"], "force": True}:
            self._reply(200, {"run_id": "manual__1", "paused": False})
        else:
            self._reply(422, UNKNOWN)

    def _reply(self, status: int, document: Any) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def plugin() -> Any:
    specification = importlib.util.spec_from_file_location("streamflow_plugin", FOLDER / "plugin.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.Plugin()


@pytest.fixture
def settings() -> Iterator[dict[str, str]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), StreamFlow) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        yield {"address": address, "username": "admin", "password": "right", "channel": "Das Erste"}
        server.shutdown()


def run(plugin: Any, action: str, settings: dict[str, str]) -> tuple[str, str]:
    result = plugin.run(action, {}, {"settings": settings})
    return result["status"], result["message"]


def test_the_status_names_the_connections_of_each_account(plugin: Any, settings: dict[str, str]) -> None:
    state, message = run(plugin, "status", settings)
    assert state == "ok"
    assert message.splitlines()[1:] == [
        "North: 1 of 2 connections, 1 watched, 1 waiting",
        "Endless: 2 of any number of connections",
    ]


def test_a_channel_is_checked_by_its_name(plugin: Any, settings: dict[str, str]) -> None:
    assert run(plugin, "check", settings) == ("ok", "The check of Das Erste has started: run manual__1.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channel": "Das Erst"}, UNKNOWN["detail"]),
        ({"channel": " "}, "enter the name of a channel into the settings, and save them"),
        ({"password": "wrong"}, "Airflow rejected the user or the password"),
        ({"address": "file:///etc/passwd"}, "the address has to begin with http:// or https://"),
    ],
)
def test_a_mistake_is_named(plugin: Any, settings: dict[str, str], change: dict[str, str], message: str) -> None:
    assert run(plugin, "check", settings | change) == ("error", message)


def test_an_address_without_a_server_is_named(plugin: Any, settings: dict[str, str]) -> None:
    state, message = run(plugin, "status", settings | {"address": "http://127.0.0.1:1"})
    assert state == "error"
    assert message.startswith("StreamFlow cannot be reached at http://127.0.0.1:1: ")


def test_the_manifest_describes_each_action(plugin: Any) -> None:
    assert {action["id"] for action in plugin.actions} == {"status", "check"}
    assert run(plugin, "nothing", {}) == ("error", "unknown action nothing")
