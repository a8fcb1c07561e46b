"""The page: its files, and its views in a real browser."""

from __future__ import annotations

import gzip
import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

import stream_checker
from account_limiter import Limiter
from streamflow.records import Run
from streamflow.udi import Udi
from support.browser import Browser

from .. import library
from ..library import NOW, RUN, result
from ..server import Server
from .place import in_browser, labelled, show

PAGE = Path(stream_checker.__file__).with_name("page")
FILES = [file for file in PAGE.rglob("*") if file.is_file()]
# The only file that is no module.
PLAYER = PAGE / "vendor" / "mpegts.js"


def test_the_page_is_public_and_restricted_to_this_server(server: Server) -> None:
    with server.client() as anonymous:
        assert anonymous.get("/page").is_redirect
        response = anonymous.get("/page/")
        assert response.headers["content-type"].startswith("text/html")
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert not re.search(r"unsafe|https?:|\*", policy)
        assert (
            anonymous.get("/page/app.js")
            .headers["content-type"]
            .startswith(("text/javascript", "application/javascript"))
        )
        tag = {"If-None-Match": response.headers["etag"]}
        assert anonymous.get("/page/", headers=tag).status_code == 304
        for path in ("/page/nothing.js", "/page/..%2fapp.py", "/page/%2e%2e/plugin.py"):
            assert anonymous.get(path).status_code == 404


def test_every_import_of_the_page_is_one_of_its_files() -> None:
    for file in FILES:
        if file.suffix == ".js" and file != PLAYER:
            for name in re.findall(r'(?:from\s*|import\()"([^"]+)"', file.read_text()):
                assert (file.parent / name).is_file(), f"{file.name} imports {name}"


def first_modules() -> set[Path]:
    """Return the modules that the page needs at its start; a view that is seldom used is loaded when it is shown."""
    needed, waiting = set[Path](), [PAGE / "app.js"]
    while waiting:
        file = waiting.pop()
        if file not in needed:
            needed.add(file)
            waiting += [(file.parent / name).resolve() for name in re.findall(r'from\s*"([^"]+)"', file.read_text())]
    return needed


def test_all_modules_load_at_the_same_time() -> None:
    # Otherwise a browser finds each one only after the module that imports it.
    preloaded = re.findall(r'rel="modulepreload" href="([^"]+)"', (PAGE / "index.html").read_text())
    assert sorted(preloaded) == preloaded
    assert {PAGE / name for name in preloaded} == first_modules()


def test_the_first_load_is_small() -> None:
    files = [PAGE / "index.html", PAGE / "icon.svg", *PAGE.glob("style/*.css"), *first_modules()]
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 50_000


def test_the_licences_note_the_digest_of_the_player() -> None:
    assert hashlib.sha256(PLAYER.read_bytes()).hexdigest() in (PAGE / "vendor" / "LICENSES").read_text()


def test_the_documentation_page_loads_nothing_from_other_servers(server: Server) -> None:
    with server.client() as anonymous:
        response = anonymous.get("/docs")
        assert response.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "http:" not in response.text
        assert "https:" not in response.text


@in_browser
def test_each_view_shows_its_subject(browser: Browser, server: Server) -> None:
    browser.show(f"{server.address}/api/stream-checker/page/")
    browser.until_shown(
        "All checked channels work", "1 weak", "Channel 2 UHD → Channel 1 HD", "best score 0.83", "83% alive"
    )
    show(browser, server, "now")
    browser.until_shown("2 of 10 slots in use", "Provider A", "1 watched", "Channel 4 UHD", "6 Mb/s")
    show(browser, server, f"run/{quote(RUN, safe='')}")
    browser.until_shown("50%", "HTTP 404", "Channel 2 UHD", "1 of 2 finished")
    show(browser, server, "results?status=degraded")
    browser.until_shown("1 to 1 of 1 streams", "frozen video")
    show(browser, server, "stream/1")
    browser.until_shown("Das Erste", "1920×1080", "2 results", "The stream works.")
    show(browser, server, "channel/1")
    browser.until_shown("Das Erste", "dead: HTTP 404", "Removed because dead: Channel 9 HD")
    browser.until_shown("stay until their removal is approved: Channel 2 UHD", "score 0.70 is within 0.05 of 0.72")
    show(browser, server, "channel")
    browser.until_shown("2 channels", "Second")
    show(browser, server, "history")
    browser.until_shown("Concurrent checks", "Provider B")
    show(browser, server, "workers")
    browser.until_shown("unhealthy", "No worker responds")
    show(browser, server, "provider/1")
    browser.until_shown("Report card of Provider A", "3 sold", "Working, by weekday", "Provider B")
    show(browser, server, "approvals")
    browser.until_shown("Nothing waits for you.")
    show(browser, server, "help")
    browser.until_shown("provider busy", "The provider refused the connection as one too many", "believed limit")


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
    browser.until_shown("67% of the streams with a verdict work: 2 of 3", "Worst channels", "Das Erste")


@in_browser
def test_the_documentation_page_shows_every_route(browser: Browser, server: Server) -> None:
    browser.call("Page.navigate", url=f"{server.address}/api/stream-checker/docs")
    browser.until_shown("GET /results", "PUT /concurrency/config", "POST /hooks/dispatcharr", "HealthReport")
    browser.until_shown(f"curl {server.address}/auth/token", "Return one page of latest results")
    browser.value("for (const route of document.querySelectorAll('details')) route.open = true")
    browser.until_shown(f"curl '{server.address}/api/stream-checker/channels/1' -H 'Authorization: Bearer TOKEN'")


@in_browser
def test_it_shows_events_as_they_happen(browser: Browser, server: Server, udi: Udi) -> None:
    show(browser, server, "now")
    browser.until_shown("2 of 10 slots in use", "3.2s")
    # From here on, only events deliver changes.
    browser.value("window.fetch = () => new Promise(() => {})")
    udi.progress.publish(
        4, {"seconds": 7.7, "bytes": 1, "bitrate_kbps": 4400, "first_frame_ms": 1, "phase": "sampling"}
    )
    browser.until_shown("7.7s", "4.4 Mb/s")


@in_browser
def test_an_account_above_its_limit_is_flagged(browser: Browser, server: Server, limiter: Limiter) -> None:
    show(browser, server, "now")
    browser.until_shown("Provider B")
    assert not browser.value("document.body.innerText.includes('above the limit')")
    limiter.set_viewers({"account-1": 1, "account-2": 2})
    browser.until_shown("2 connections above the limit")


@in_browser
def test_no_control_character_of_a_name_reaches_the_page(browser: Browser, server: Server, udi: Udi) -> None:
    snapshot = library.snapshot()
    snapshot.streams[0] = snapshot.streams[0].model_copy(update={"name": "gnp.\u202eexe \x1b]52;c;cm0=\x07 \x9b31m"})
    udi.publish(snapshot, force=True)
    show(browser, server, "results")
    browser.until_shown("gnp.")
    assert not browser.value(r"/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(document.querySelector('tbody').textContent)")


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
        "overview",
        "now",
        f"run/{quote(RUN, safe='')}",
        "results",
        "channel",
        "channel/1",
        "stream/1",
        "history",
        "workers",
        "matching",
        "settings",
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
    # The other tests share the file store.
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
    browser.until_shown("All slots are released (2 in use), and all waiting checks (1) lose their place")
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
    "overview",
    "now", "run", f"report/{quote(RUN, safe='')}", "results", "stream/1", "channel", "channel/1", "history", "workers",
    "policies", "matching", "settings",
]  # fmt: skip


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(browser: Browser, server: Server, scheme: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    for place in PLACES:
        show(browser, server, place)
        browser.until("document.querySelector('main')?.innerText.length > 40")
        browser.until("!document.querySelector('main > p[role=status]')")
        assert browser.violations() == [], place


# The same bitrate and date, as each language writes them.
FORMATS = {
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
def test_numbers_and_dates_have_the_format_of_the_language(browser: Browser, server: Server, udi: Udi) -> None:
    udi.runs.settle("no run", result(30, checked_at=datetime(2026, 1, 2, 12, tzinfo=UTC), bitrate_kbps=6120))
    row = "[...document.querySelectorAll('tbody tr')].at(-1)"
    seen = {}
    for language in FORMATS:
        # Airflow's UI stores the chosen language under this key. It is set before the page's own scripts run.
        script = f"location.host && localStorage.setItem('i18nextLng', '{language}')"
        added = browser.call("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"]
        show(browser, server, "stream/30")
        browser.until_shown("Past results", "1 result\n", "Bitrate")
        day, bitrate = browser.value(f"[{row}.cells[0].innerText, {row}.cells[3].innerText]")
        seen[language] = (bitrate[:3], day.replace("\xa0", " ")[: len(FORMATS[language][1])])
        browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added)
    assert seen == FORMATS


@in_browser
def test_a_setting_is_changed_with_a_look_at_the_difference(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None
) -> None:
    show(browser, server, "settings")
    browser.reach("Probe How one stream is checked")
    browser.press("Enter")
    browser.reach("Retries")
    browser.replace("7")
    browser.until_shown("1 changed from the default")
    browser.reach("Save…")
    browser.press("Enter")
    browser.until_shown("Save probe?", "Retries")
    browser.until("document.querySelector('dialog del').innerText === '2'")
    browser.reach("Save")
    browser.press("Enter")
    browser.until("!document.querySelector('dialog')")
    browser.until_shown("Retries: 2 → 7", "admin")
    assert admin.get("/settings").json()["probe"]["retries"] == 7


@in_browser
def test_a_fault_of_the_server_stands_beside_its_field(browser: Browser, server: Server, defaults: None) -> None:
    show(browser, server, "settings")
    browser.reach("Probe How one stream is checked")
    browser.press("Enter")
    field = labelled("Proxy")
    browser.reach("Proxy")
    browser.replace("not a proxy")
    browser.reach("Save…")
    browser.press("Enter")
    browser.reach("Save")
    browser.press("Enter")
    browser.until(f"{field}.closest('.setting').innerText.includes('not the URL of a proxy')")
    assert browser.value(f"{field}.getAttribute('aria-invalid')") == "true"


@in_browser
def test_a_policy_is_added_previewed_and_saved(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None
) -> None:
    show(browser, server, "policies")
    browser.reach("Add a policy")
    browser.press("Enter")
    browser.until_shown("Policy 1 ", "nothing yet")
    browser.reach("Accounts")
    browser.replace("Provider C")
    browser.reach("What would change now?")
    browser.press("Enter")
    browser.until_shown("1 channel of 2, from stored results", "Das Erste")
    browser.reach("Replay the last nights")
    browser.press("Enter")
    browser.until_shown("Channels with a dead first stream")
    assert admin.get("/policies").json()["policies"] == []
    browser.reach("Save the policies")
    browser.press("Enter")
    browser.until("![...document.querySelectorAll('button')].some((b) => b.innerText === 'Save the policies')")
    assert admin.get("/policies").json()["policies"] == [{"name": "Policy 1", "match": {}, "accounts": ["Provider C"]}]


@in_browser
def test_a_stream_is_pinned_on_the_page_of_its_channel(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None
) -> None:
    show(browser, server, "channel/1")
    browser.reach("Pin")
    browser.press("Enter")
    browser.until_shown("Release")
    assert admin.get("/channels/1").json()["streams"][0]["pinned"]
    browser.until_shown("Changes", "Check now")


@in_browser
def test_readers_see_no_button_that_they_may_not_use(browser: Browser, server: Server) -> None:
    browser.log_in(server.address, server.token("reader"))
    for place in ("now", "channel/1", "stream/1", f"run/{quote(RUN, safe='')}", "policies", "settings"):
        show(browser, server, place)
        browser.until("document.querySelector('main')?.innerText.length > 40")
        browser.until("!document.querySelector('main > p[role=status]')")
        for text in ("Check now", "Start a check…", "Reset…", "Stop the run", "Pin", "Save…", "Add a policy", "Undo"):
            buttons = f"[...document.querySelectorAll('button')].some((b) => b.innerText === {text!r})"
            assert not browser.value(buttons), (place, text)


@in_browser
def test_a_run_that_is_unknown_or_starts_is_no_error(browser: Browser, server: Server) -> None:
    show(browser, server, "run/manual__none")
    browser.until_shown("Airflow knows no such run.")
    assert not browser.value("document.querySelector('[role=alert]')")


@in_browser
def test_the_address_keeps_the_place_and_the_title_names_it(browser: Browser, server: Server) -> None:
    show(browser, server, "channel/1")
    browser.until("document.title === 'Das Erste · Stream checker'")
    show(browser, server, "stream/1")
    browser.until("document.title === 'Channel 1 HD · Stream checker'")
    show(browser, server, f"run/{quote(RUN, safe='')}")
    browser.until("document.title.startsWith('Check by hand, ')")
    show(browser, server, "channel")
    browser.until_shown("2 channels")
    search = "document.querySelector('input[type=search]')"
    browser.value(f"{search}.focus()")
    browser.call("Input.insertText", text="sec")
    browser.press("Enter")
    browser.until_shown("1 channel\n")
    browser.show(browser.value("location.href"))
    browser.until(f"{search}?.value === 'sec'")
    browser.until_shown("1 channel\n")
    show(browser, server, "history?period=86400")
    browser.until("document.querySelector('main select')?.value === '86400'")


@in_browser
def test_long_names_keep_their_end_and_their_direction(browser: Browser, server: Server, udi: Udi) -> None:
    snapshot = library.snapshot()
    long_name = "Very" + "Long" * 40 + " FHD"
    snapshot.streams[0] = snapshot.streams[0].model_copy(update={"name": long_name})
    snapshot.streams[6] = snapshot.streams[6].model_copy(update={"name": "الجزيرة HD"})
    udi.publish(snapshot, force=True)
    browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    show(browser, server, "results")
    browser.until_shown(" FHD", "الجزيرة")
    link = "[...document.querySelectorAll('tbody th a')].find((one) => one.innerText.endsWith(' FHD'))"
    assert browser.value(f"{link}.scrollHeight <= {link}.clientHeight + 1")
    assert browser.value("document.documentElement.scrollWidth") <= 360
    arabic = "[...document.querySelectorAll('tbody th')].find((one) => one.innerText.includes('الجزيرة'))"
    assert browser.value(f"getComputedStyle({arabic}).direction") == "rtl"
    udi.publish(library.snapshot(), force=True)


@in_browser
def test_the_start_of_a_check_shows_how_long_it_takes(browser: Browser, server: Server) -> None:
    show(browser, server, "now")
    browser.reach("Start a check…")
    browser.press("Enter")
    browser.until("/\\d+ streams?, about \\d+/.test(document.querySelector('dialog')?.innerText)")
    before = browser.value("document.querySelector('dialog [role=status]').innerText")
    browser.value("document.querySelector('dialog input[name=force]').click()")
    browser.until(f"document.querySelector('dialog [role=status]').innerText !== {before!r}")
