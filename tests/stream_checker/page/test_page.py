"""The page: its files, and what a person sees of it in a real browser."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

import stream_checker
from streamflow.records import Run
from streamflow.udi import Udi
from support.browser import PROGRAM, Browser

from ..library import NOW, RUN, result
from ..server import Server

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
        browser.log_in(server.address, server.token("admin"))
        yield browser
        assert browser.said == []
        assert [url for url in browser.asked if not url.startswith((server.address, "about:", "data:"))] == []


def show(browser: Browser, server: Server, place: str) -> None:
    browser.show(f"{server.address}/api/stream-checker/page/#{place}")


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
    browser.until_shown("Das Erste", "dead: http 404", "Removed while dead: Channel 9 HD")
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
    udi.progress.publish(
        4, {"seconds": 7.7, "bytes": 1, "bitrate_kbps": 4400, "first_frame_ms": 1, "phase": "sampling"}
    )
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
    for place in (
        "now",
        f"run/{quote(RUN, safe='')}",
        "results",
        "channel",
        "channel/1",
        "stream/1",
        "history",
        "workers",
    ):
        show(browser, server, place)
        browser.until("document.querySelector('table') !== null")
        assert browser.value("document.documentElement.scrollWidth") <= 360, place


@in_browser
def test_a_long_run_is_shown_in_steps(browser: Browser, server: Server, udi: Udi) -> None:
    streams, long_ago = tuple(range(1000, 1130)), NOW - timedelta(days=1)
    udi.runs.open(
        Run(run_id="long", started_at=long_ago, mode="concurrent", params={}, stream_ids=streams, channels={})
    )
    rows = "document.querySelectorAll('[aria-labelledby=streams] tbody tr').length"
    show(browser, server, "run/long")
    browser.until_shown("130 streams of the run", "Show 30 more of 30")
    assert browser.value(rows) == 100
    browser.reach("Show 30 more of 30")
    browser.press("Enter")
    browser.until(f"{rows} === 130")
    # The file store stays for the other tests.
    udi.prune(runs=1)


@in_browser
def test_the_limit_is_changed_and_the_slots_are_reset_by_keyboard(browser: Browser, server: Server) -> None:
    show(browser, server, "now")
    browser.reach("Change the limit…")
    browser.press("Enter")
    browser.until("document.querySelector('dialog[open] input') === document.activeElement")
    browser.value("document.activeElement.select()")
    browser.call("Input.insertText", text="5")
    browser.press("Enter")
    browser.until_shown("2 of 5 slots in use")
    browser.reach("Reset…")
    browser.press("Enter")
    browser.until_shown("2 slots are released and 1 waiting checks lose their place")
    browser.press("Escape")
    browser.until("!document.querySelector('dialog')")
    browser.until_shown("2 of 5 slots in use")
    browser.reach("Reset…")
    browser.press("Enter")
    browser.until("document.querySelector('dialog[open]') !== null")
    browser.reach("Reset")
    browser.press("Enter")
    browser.until_shown("0 of 5 slots in use")


PLACES = [
    "now", "run", f"report/{quote(RUN, safe='')}", "results", "stream/1", "channel", "channel/1", "history", "workers",
]  # fmt: skip


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_anybodys_way(browser: Browser, server: Server, scheme: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    for place in PLACES:
        show(browser, server, place)
        browser.until("document.querySelector('main')?.innerText.length > 40")
        browser.until("!document.querySelector('main > p[role=status]')")
        assert browser.violations() == [], place


# The same bitrate and day, as people write them there.
WRITTEN = {
    "en-US": ("6.1", "Jan 2, 2026"),
    "en-GB": ("6.1", "2 Jan 2026"),
    "de": ("6,1", "02.01.2026"),
    "fr": ("6,1", "2 janv. 2026"),
    "es": ("6,1", "2 ene 2026"),
    "pl": ("6,1", "2 sty 2026"),
    "nl": ("6,1", "2 jan 2026"),
    "pt-BR": ("6,1", "2 de jan. de 2026"),
    "tr": ("6,1", "2 Oca 2026"),
    "ja": ("6.1", "2026/01/02"),
    "zh-CN": ("6.1", "2026年1月2日"),
    "ko": ("6.1", "2026. 1. 2."),
}


@in_browser
def test_numbers_and_dates_are_written_as_people_do_where_they_live(browser: Browser, server: Server, udi: Udi) -> None:
    udi.runs.settle("no run", result(30, checked_at=datetime(2026, 1, 2, 12, tzinfo=UTC), bitrate_kbps=6120))
    row = "[...document.querySelectorAll('tbody tr')].at(-1)"
    seen = {}
    for language in WRITTEN:
        # What Airflow's UI keeps when somebody chooses a language there; set before the page's own scripts.
        script = f"location.host && localStorage.setItem('i18nextLng', '{language}')"
        added = browser.call("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"]
        show(browser, server, "stream/30")
        browser.until_shown("Past results", "Bitrate")
        day, bitrate = browser.value(f"[{row}.cells[0].innerText, {row}.cells[3].innerText]")
        seen[language] = (bitrate[:3], day.replace("\xa0", " ")[: len(WRITTEN[language][1])])
        browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added)
    assert seen == WRITTEN
