"""Headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]
PATIENCE_SECONDS = 60.0


class Tab:
    """One tab of the browser.

    :param patience: seconds that the methods wait for the page.
    :ivar console: messages and errors of the page's console.
    :ivar requested_urls: URL of every request.
    """

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._exit = ExitStack()
        self._number = 0
        self.console: list[str] = []
        self.requested_urls: list[str] = []

    def __enter__(self) -> Self:
        if PROGRAM is None:
            raise FileNotFoundError("Chromium is not installed")
        folder = Path(self._exit.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        command = [PROGRAM, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self._process = self._exit.enter_context(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        opened = folder / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (opened.exists() and opened.read_text().count("\n")):
            if time.monotonic() > deadline:
                raise TimeoutError("Chromium did not start")
            time.sleep(0.05)
        port, path = opened.read_text().splitlines()
        self._socket = self._exit.enter_context(
            connect(f"ws://127.0.0.1:{port}{path}", max_size=None, ping_interval=None)
        )
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._exit.close()

    def call(self, method: str, **params: Any) -> Any:
        """Send a command to the tab and return its result."""
        return self._call(method, session=self._session, **params)

    def _call(self, method: str, *, session: str | None = None, **params: Any) -> Any:
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        self._socket.send(json.dumps(command | ({"sessionId": session} if session else {})))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_SECONDS))
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(str(message))
                return message["result"]
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        match event["method"]:
            case "Runtime.exceptionThrown":
                self.console.append(json.dumps(event["params"]["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.console.append(json.dumps(event["params"]["args"]))
            case "Network.requestWillBeSent":
                self.requested_urls.append(event["params"]["request"]["url"])

    def log_in(self, address: str, token: str) -> None:
        """Set the session cookie of the token's user, as a login to Airflow's UI does."""
        self.call("Network.setCookie", name="_token", value=token, url=address)

    def show(self, address: str) -> None:
        """Load the address, even if the tab already shows it."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)

    def value(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        evaluation = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in evaluation:
            raise RuntimeError(str(evaluation))
        return evaluation["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until the expression is true."""
        deadline = time.monotonic() + self._patience
        while not self.value(script):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{script}\n{self.value('document.body?.innerText')}\n{self.console}")
            time.sleep(0.05)
