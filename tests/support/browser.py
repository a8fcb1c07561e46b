"""Headless Chromium, driven over its DevTools protocol: what the page's tests need of it and no more."""

from __future__ import annotations

import gzip
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
AXE = Path(__file__).with_name("axe") / "axe.min.js.gz"
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, ""), " ": (32, " ")}


class Browser:
    """One tab. ``said`` collects what the page writes to its console, ``asked`` every address it asks for.

    It waits ``patience`` seconds for what should come to be seen.
    """

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
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

    def log_in(self, address: str, token: str) -> None:
        """Have the session of whoever the token is of, as after a login to Airflow's UI."""
        self.call("Network.setCookie", name="_token", value=token, url=address)

    def show(self, address: str) -> None:
        """Go to the address, and load it anew even if it is where the tab is."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)

    def value(self, script: str) -> Any:
        """What an expression evaluates to in the page."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until the expression is true."""
        deadline = time.monotonic() + self._patience
        while not self.value(script):
            assert time.monotonic() < deadline, f"{script}\n{self.value('document.body?.innerText')}\n{self.said}"
            time.sleep(0.05)

    def until_shown(self, *texts: str) -> None:
        """Wait until the page shows all of these texts."""
        for text in texts:
            self.until(f"document.body?.innerText.includes({json.dumps(text)})")

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        code, text = KEYS[key]
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def reach(self, text: str) -> None:
        """Wait for what is called so, and go to it by Tab alone, once around the page at most."""
        self.until_shown(text)
        for _ in range(200):
            if self.value("document.activeElement.innerText?.trim()") == text:
                return
            self.press("Tab")
        raise AssertionError(f"no way to {text} by Tab")

    def violations(self) -> list[str]:
        """What axe finds to be serious or worse for people who see, hear or move otherwise."""
        self.value(gzip.decompress(AXE.read_bytes()).decode() + "; true")
        found = self.value("axe.run({resultTypes: ['violations']}).then((all) => JSON.stringify(all.violations))")
        return [
            f"{rule['id']}: {rule['help']}: {[node['html'][:200] for node in rule['nodes'][:3]]}"
            for rule in json.loads(found)
            if rule["impact"] in ("serious", "critical")
        ]
