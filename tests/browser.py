"""Headless Chromium, driven over its DevTools protocol: what the page's tests need of it and no more."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

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
PATIENCE_SECONDS = 30.0


class Browser:
    """One tab. ``said`` collects what the page writes to its console, ``asked`` every address it asks for."""

    def __init__(self) -> None:
        self._exit = ExitStack()
        self._number = 0
        self.said: list[str] = []
        self.asked: list[str] = []

    def __enter__(self) -> Browser:
        assert PROGRAM
        folder = Path(self._exit.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        command = [PROGRAM, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self._process = self._exit.enter_context(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        opened = folder / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (opened.exists() and opened.read_text().count("\n")):
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.05)
        port, path = opened.read_text().splitlines()
        self._socket = self._exit.enter_context(connect(f"ws://127.0.0.1:{port}{path}", max_size=None))
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._exit.close()

    def call(self, method: str, **params: Any) -> Any:
        """A command to the tab."""
        return self._call(method, session=self._session, **params)

    def _call(self, method: str, *, session: str | None = None, **params: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE_SECONDS))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        match event["method"]:
            case "Runtime.exceptionThrown":
                self.said.append(json.dumps(event["params"]["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.said.append(json.dumps(event["params"]["args"]))
            case "Network.requestWillBeSent":
                self.asked.append(event["params"]["request"]["url"])

    def value(self, script: str) -> Any:
        """What an expression evaluates to in the page."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until the expression is true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.value(script):
            assert time.monotonic() < deadline, f"{script}\n{self.value('document.body?.innerText')}\n{self.said}"
            time.sleep(0.05)

    def until_shown(self, *texts: str) -> None:
        """Wait until the page shows all of these texts."""
        for text in texts:
            self.until(f"document.body?.innerText.includes({json.dumps(text)})")
