"""Headless Chromium for the tests of the page: keys, what people read, and accessibility."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from bench.browser import PROGRAM, Tab

__all__ = ["PROGRAM", "Browser"]

AXE = Path(__file__).with_name("axe") / "axe.min.js.gz"
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, ""), " ": (32, " ")}

FOCUSABLE = "a[href], button, summary, input, select, textarea, [tabindex]"
# What people read or hear on an element: its text, its label, its accessible name.
NAMES = (
    "(one) => [one.innerText, one.labels?.[0]?.innerText, one.getAttribute('aria-label')].map((name) => name?.trim())"
)


class Browser(Tab):
    """One tab of the browser, with the keyboard."""

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
