"""Headless Chromium, driven over the DevTools protocol, for the tests of the page."""

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
PATIENCE_SECONDS = 60.0
AXE = Path(__file__).with_name("axe") / "axe.min.js.gz"
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, ""), " ": (32, " ")}

FOCUSABLE = "a[href], button, summary, input, select, textarea, [tabindex]"
# What people read or hear on an element: its text, its label, its accessible name.
NAMES = (
    "(one) => [one.innerText, one.labels?.[0]?.innerText, one.getAttribute('aria-label')].map((name) => name?.trim())"
)


class Browser:
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
                assert "error" not in message, message
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
        assert "exceptionDetails" not in evaluation, evaluation
        return evaluation["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until the expression is true."""
        deadline = time.monotonic() + self._patience
        while not self.value(script):
            assert time.monotonic() < deadline, f"{script}\n{self.value('document.body?.innerText')}\n{self.console}"
            time.sleep(0.05)

    def until_shown(self, *texts: str) -> None:
        """Wait until the page shows all of these texts."""
        for text in texts:
            self.until(f"document.body?.innerText.includes({json.dumps(text)})")

    def press(self, key: str) -> None:
        """Press and release a key."""
        code, text = KEYS[key]
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        """Press the keys of a text one after another, as fields with parts such as times need it."""
        for letter in text:
            self.call("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=letter)

    def replace(self, text: str) -> None:
        """Replace the content of the field that has the focus."""
        self.value("document.activeElement.select()")
        self.call("Input.insertText", text=text)

    def reach(self, name: str) -> None:
        """Wait for the element with this text, label or accessible name and move the focus to it with the Tab key."""
        # Fields are disabled until the page knows the rights of the user.
        is_wanted = f"(one) => !one.matches(':disabled') && ({NAMES})(one).includes({json.dumps(name)})"
        self.until(f"[...document.querySelectorAll({FOCUSABLE!r})].some({is_wanted})")
        for _ in range(300):
            if self.value(f"({is_wanted})(document.activeElement)"):
                return
            self.press("Tab")
        raise AssertionError(f"the Tab key does not reach {name}")

    def violations(self) -> list[str]:
        """Return the serious and critical accessibility problems that axe finds."""
        self.value(gzip.decompress(AXE.read_bytes()).decode() + "; true")
        found = self.value("axe.run({resultTypes: ['violations']}).then((all) => JSON.stringify(all.violations))")
        return [
            f"{rule['id']}: {rule['help']}: {[node['html'][:200] for node in rule['nodes'][:3]]}"
            for rule in json.loads(found)
            if rule["impact"] in ("serious", "critical")
        ]
