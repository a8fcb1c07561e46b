"""The page: its files, and what a person sees of it in a real browser."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

import stream_checker
from browser import PROGRAM, Browser
from streamflow.udi import Udi

from .library import RUN
from .server import Server

PAGE = Path(stream_checker.__file__).with_name("page")
FILES = [file for file in PAGE.rglob("*") if file.is_file()]
in_browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine (Debian's package chromium)")


def test_the_page_is_public_and_holds_on_to_this_server(server: Server) -> None:
    with server.client() as nobody:
        assert nobody.get("/page").is_redirect
        answer = nobody.get("/page/")
        assert answer.headers["content-type"].startswith("text/html")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert not re.search(r"unsafe|https?:|\*", policy)
        assert (
            nobody.get("/page/app.js").headers["content-type"].startswith(("text/javascript", "application/javascript"))
        )
        tag = {"If-None-Match": answer.headers["etag"]}
        assert nobody.get("/page/", headers=tag).status_code == 304
        for path in ("/page/nothing.js", "/page/..%2fapp.py", "/page/%2e%2e/plugin.py"):
            assert nobody.get(path).status_code == 404


def test_every_import_of_the_page_is_a_file_of_it() -> None:
    for file in FILES:
        if file.suffix == ".js":
            for name in re.findall(r'from\s*"([^"]+)"', file.read_text()):
                assert (file.parent / name).is_file(), f"{file.name} imports {name}"


def test_the_first_load_is_small() -> None:
    assert sum(len(gzip.compress(file.read_bytes())) for file in FILES) < 60_000


@pytest.fixture
def browser(server: Server, admin: httpx.Client) -> Iterator[Browser]:
    """A browser in which an administrator has logged in to Airflow."""
    with Browser() as browser:
        browser.call("Network.setCookie", name="_token", value=server.token("admin"), url=server.address)
        yield browser
        assert browser.said == []
        assert [url for url in browser.asked if not url.startswith((server.address, "about:", "data:"))] == []


def show(browser: Browser, server: Server, place: str) -> None:
    address = f"{server.address}/api/stream-checker/page/#{place}"
    browser.call("Page.navigate", url="about:blank")
    browser.call("Page.navigate", url=address)


@in_browser
def test_each_view_shows_its_subject(browser: Browser, server: Server) -> None:
    show(browser, server, "now")
    browser.until_shown("2 of 10 slots in use", "Provider A", "1 watched", "Channel 4 UHD", "6 Mb/s")
    show(browser, server, f"run/{quote(RUN, safe='')}")
    browser.until_shown("50%", "http 404", "Channel 2 UHD", "1 of 2 finished")
    show(browser, server, "results?status=degraded")
    browser.until_shown("1 to 1 of 1 streams", "frozen video")
    show(browser, server, "stream/1")
    browser.until_shown("Das Erste", "1920×1080", "The last 2 checks")
    show(browser, server, "channel/1")
    browser.until_shown("Das Erste", "dead: http_404", "Removed while dead: Channel 9 HD")
    show(browser, server, "channel")
    browser.until_shown("2 channels", "Second")
    show(browser, server, "history")
    browser.until_shown("Checks at once", "Provider B")
    show(browser, server, "workers")
    browser.until_shown("unhealthy", "No worker answers")


@in_browser
def test_results_are_sorted_and_a_run_has_a_report(browser: Browser, server: Server, admin: httpx.Client) -> None:
    best = admin.get("/results", params={"sort": "-score", "limit": 1}).json()["results"][0]["name"]
    show(browser, server, "results")
    browser.until_shown("Past scores", "Channel 8 UHD")
    browser.value("[...document.querySelectorAll('button.sort')].find((b) => b.innerText === 'Score').click()")
    browser.until("document.querySelector('th[aria-sort=descending]')?.innerText.startsWith('Score')")
    browser.until(f"document.querySelector('tbody th')?.innerText === '{best}'")
    browser.until("document.querySelector('.spark path') !== null")
    show(browser, server, f"report/{quote(RUN, safe='')}")
    browser.until_shown("67% working", "Worst channels", "Das Erste")


@in_browser
def test_the_page_of_the_api_shows_every_route(browser: Browser, server: Server) -> None:
    browser.call("Page.navigate", url=f"{server.address}/api/stream-checker/docs")
    browser.until_shown("GET /results", "PUT /concurrency/config", "POST /hooks/dispatcharr", "HealthReport")


@in_browser
def test_it_shows_what_happens_as_it_happens(browser: Browser, server: Server, udi: Udi) -> None:
    show(browser, server, "now")
    browser.until_shown("2 of 10 slots in use", "3.2s")
    # From here on nothing but events brings news.
    browser.value("window.fetch = () => new Promise(() => {})")
    udi.progress(4, {"seconds": 7.7, "bytes": 1, "bitrate_kbps": 4400, "first_frame_ms": 1, "phase": "sampling"})
    browser.until_shown("7.7s", "4.4 Mb/s")


@in_browser
def test_it_follows_the_colour_scheme_and_fits_a_phone(browser: Browser, server: Server) -> None:
    show(browser, server, "now")
    browser.until_shown("slots in use")
    lightness = "getComputedStyle(document.body).backgroundColor"
    assert browser.value(lightness) == "rgb(255, 255, 255)"
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.call("Emulation.setEmulatedMedia", features=dark)
    assert browser.value(lightness) != "rgb(255, 255, 255)"
    browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    assert browser.value("document.documentElement.scrollWidth") <= 360


@in_browser
def test_the_limit_is_changed_and_the_slots_are_reset_by_keyboard(browser: Browser, server: Server) -> None:
    def press(key: str, code: int, text: str = "") -> None:
        key_event = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        browser.call("Input.dispatchKeyEvent", type="keyDown", **key_event)
        browser.call("Input.dispatchKeyEvent", type="keyUp", **key_event)

    def focus(label: str) -> None:
        browser.until_shown(label)
        for _ in range(30):
            if browser.value("document.activeElement.innerText") == label:
                return
            press("Tab", 9)
        raise AssertionError(f"no way to {label} by Tab")

    show(browser, server, "now")
    focus("Change the limit…")
    press("Enter", 13, "\r")
    browser.until("document.querySelector('dialog[open] input') === document.activeElement")
    browser.value("document.activeElement.select()")
    browser.call("Input.insertText", text="5")
    press("Enter", 13, "\r")
    browser.until_shown("2 of 5 slots in use")
    focus("Reset…")
    press("Enter", 13, "\r")
    browser.until_shown("2 slots are released and 1 waiting checks lose their place")
    press("Escape", 27)
    browser.until("!document.querySelector('dialog')")
    browser.until_shown("2 of 5 slots in use")
    focus("Reset…")
    press("Enter", 13, "\r")
    browser.until("document.querySelector('dialog[open]') !== null")
    focus("Reset")
    press("Enter", 13, "\r")
    browser.until_shown("0 of 5 slots in use")
