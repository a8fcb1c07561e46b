"""Behind a reverse proxy, under a path prefix: routes, page, events and links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from account_limiter import Limiter
from streamflow.udi import open_udi
from support.browser import PROGRAM, Browser

from . import library, reverse_proxy
from .reverse_proxy import ReverseProxy
from .server import Server

PREFIX = "/tools/airflow"


@pytest.fixture(scope="module")
def behind(
    redis_server: Any, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[tuple[Server, ReverseProxy]]:
    """Start a server and the proxy in front of it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with reverse_proxy.running(PREFIX) as proxy:
        server = Server(tmp_path_factory.mktemp("airflow"), redis_server.socket, shared, base_url=proxy.address)
        try:
            server.start()
            proxy.upstream = server.address.removesuffix(PREFIX)
            yield server, proxy
        finally:
            server.close()


@pytest.fixture
def proxy(behind: tuple[Server, ReverseProxy], redis_client: Redis) -> ReverseProxy:
    """Return the proxy in front of a server with data."""
    server, proxy = behind
    library.fill(open_udi(redis_client, server.home / "streamflow"))
    library.limits(Limiter(redis_client))
    return proxy


def test_routes_and_redirects_stay_under_the_prefix(behind: tuple[Server, ReverseProxy], proxy: ReverseProxy) -> None:
    headers = {"Authorization": f"Bearer {behind[0].token('admin')}"}
    with httpx.Client(base_url=f"{proxy.address}/api/stream-checker", headers=headers, timeout=30) as client:
        assert client.get("/results").json()["total"] > 0
        assert client.put("/concurrency/config", json={"stagger_delay": 0.2}).status_code == 200
        assert client.get("/page").headers["location"].startswith(f"{proxy.address}/api/stream-checker/page/")
        with client.stream("GET", "/events", headers={"Last-Event-ID": "0-0_0-0"}) as events:
            assert next(line for line in events.iter_lines() if line.startswith("event: "))


@pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine (Debian's package chromium)")
def test_the_page_works_under_the_prefix(behind: tuple[Server, ReverseProxy], proxy: ReverseProxy) -> None:
    with Browser() as browser:
        browser.log_in(proxy.address, behind[0].token("admin"))
        browser.show(f"{proxy.address}/api/stream-checker/page/#now")
        browser.until_shown("2 of 10 slots in use", "Channel 4 UHD")
        browser.reach("Reset…")
        browser.press("Enter")
        browser.until("document.querySelector('dialog[open]') !== null")
        browser.reach("Reset")
        browser.press("Enter")
        browser.until_shown("0 of 10 slots in use")
        browser.show(f"{proxy.address}/api/stream-checker/docs")
        browser.until_shown("GET /results")
        asked = [address for address in browser.requested_urls if not address.startswith(("about:", "data:"))]
        assert [address for address in asked if not address.startswith(f"{proxy.address}/")] == []
