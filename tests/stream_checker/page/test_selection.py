"""Rows that are ticked in a list: checked, pinned, exported; and the columns that the user chooses."""

from __future__ import annotations

import httpx

from streamflow.udi import Udi
from support.browser import Browser

from ..server import Server
from .place import in_browser, show

# The browser keeps the text of each file instead of saving it.
KEEP_FILES = """
window.saved = [];
const make = URL.createObjectURL;
URL.createObjectURL = (blob) => { blob.text().then((text) => window.saved.push(text)); return make.call(URL, blob); };
HTMLAnchorElement.prototype.click = () => undefined;
"""


def tick(browser: Browser, label: str) -> None:
    """Tick a box by its label."""
    box = f"document.querySelector('input[aria-label=\"{label}\"]')"
    browser.until(f"{box} !== null")
    browser.value(f"{box}.click()")


def button(text: str) -> str:
    """Return the expression of a button with this text."""
    return f"[...document.querySelectorAll('button')].find((one) => one.innerText.trim() === {text!r})"


def press(browser: Browser, text: str) -> None:
    """Press a button as soon as the page shows it."""
    browser.until(f"{button(text)} !== undefined")
    browser.value(f"{button(text)}.click()")


@in_browser
def test_selected_results_are_exported_and_pinned(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None
) -> None:
    show(browser, server, "results?q=Channel+1+HD")
    browser.value(KEEP_FILES)
    tick(browser, "Select Channel 1 HD")
    browser.until_shown("selected")
    # The selection stays while the list shows other rows.
    search = "document.querySelector('input[type=search]')"
    browser.value(f"({search}.value = 'Channel 3', {search}.dispatchEvent(new Event('input', {{bubbles: true}})))")
    browser.until("document.querySelector('input[aria-label=\"Select Channel 3 HD\"]') !== null")
    browser.until("document.querySelector('input[aria-label=\"Select Channel 1 HD\"]') === null")
    tick(browser, "Select all that are shown")
    number = int(browser.value("parseInt(document.querySelector('.selection strong').innerText)"))
    assert number > 1
    press(browser, "CSV")
    browser.until("window.saved.length === 1")
    lines = browser.value("window.saved[0]").strip().splitlines()
    assert len(lines) == number + 1
    press(browser, "M3U")
    browser.until_shown("only Dispatcharr has a proxy for players")
    press(browser, "Pin their places")
    browser.until_shown("Pinned: ")
    pinned = {one["stream_id"] for one in admin.get("/channels/1").json()["streams"] if one["pinned"]}
    assert 1 in pinned
    press(browser, "Release")
    browser.until_shown("Released: ")
    assert admin.get("/policies").json()["policies"] == []
    press(browser, "Clear")
    browser.until("document.querySelector('.selection') === null")


@in_browser
def test_selected_channels_are_pinned_with_all_their_streams(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None
) -> None:
    show(browser, server, "channel")
    tick(browser, "Select Second")
    browser.until_shown("1 channel selected")
    press(browser, "Pin their places")
    browser.until_shown("Pinned: 3 streams in 1 channel.")
    assert all(one["pinned"] for one in admin.get("/channels/2").json()["streams"])


@in_browser
def test_readers_export_a_selection_and_change_nothing(browser: Browser, server: Server, udi: Udi) -> None:
    browser.log_in(server.address, server.token("reader"))
    show(browser, server, "results")
    browser.until_shown("Past scores")
    tick(browser, "Select all that are shown")
    browser.until(f"{button('CSV')} !== undefined")
    for text in ("Check the selected", "Pin their places", "Release"):
        assert browser.value(f"{button(text)} === undefined"), text


@in_browser
def test_the_browser_keeps_the_chosen_columns_also_on_a_phone(browser: Browser, server: Server) -> None:
    heads = "[...document.querySelectorAll('thead th')].filter((one) => one.offsetWidth).map((one) => one.innerText)"

    def toggle(column: str) -> None:
        labels = "[...document.querySelectorAll('.choice label')]"
        browser.value(f"{labels}.find((one) => one.innerText.trim() === '{column}').querySelector('input').click()")

    browser.call("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    show(browser, server, "results")
    browser.until_shown("Columns")
    browser.until(f"!{heads}.includes('Account') && {heads}.includes('Picture')")
    browser.value("document.querySelector('.choice summary').click()")
    toggle("Account")
    toggle("Picture")
    browser.until(f"{heads}.includes('Account') && !{heads}.includes('Picture')")
    show(browser, server, "results")
    browser.until(f"{heads}.includes('Account') && !{heads}.includes('Picture')")
    assert browser.value("document.documentElement.scrollWidth") <= 390
    browser.value("document.querySelector('.choice summary').click()")
    press(browser, "Reset the columns")
    browser.until(f"!{heads}.includes('Account') && {heads}.includes('Picture')")
