"""A browser with the page, and settings that each test may change."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from support.browser import Browser

from ..server import Server


@pytest.fixture
def browser(server: Server, admin: httpx.Client) -> Iterator[Browser]:
    """Open a browser in which an administrator is logged in to Airflow."""
    with Browser() as browser:
        browser.log_in(server.address, server.token("admin"))
        yield browser
        assert browser.console == []
        assert [url for url in browser.requested_urls if not url.startswith((server.address, "about:", "data:"))] == []
