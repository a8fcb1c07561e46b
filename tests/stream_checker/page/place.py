"""Places on the page and fields in them, for the tests in a browser."""

from __future__ import annotations

import pytest

from support.browser import PROGRAM, Browser

from ..server import Server

in_browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine (Debian's package chromium)")


def show(browser: Browser, server: Server, place: str) -> None:
    """Open a view of the page."""
    browser.show(f"{server.address}/api/stream-checker/page/#{place}")


def labelled(text: str) -> str:
    """Return the expression of the field with a label."""
    label = f"[...document.querySelectorAll('label')].find((one) => one.innerText === '{text}')"
    return f"document.getElementById({label}.htmlFor)"
