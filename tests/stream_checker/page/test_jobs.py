"""The eight jobs of somebody who looks after a list of channels, each with the keyboard alone.

Each test counts the actions from the first view on: buttons and links that are pressed, and fields that are filled in.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from streamflow.udi import Udi
from support.browser import Browser

from ..library import RUN, result
from ..server import Server
from .place import in_browser, show

pytestmark = in_browser


class Person:
    """Somebody who uses the page with the keyboard.

    :ivar actions: the number of elements that were pressed or filled in.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.actions = 0

    def press(self, name: str, key: str = "Enter") -> None:
        """Press a button, a link or a box."""
        self.browser.reach(name)
        self.browser.press(key)
        self.actions += 1

    def fill(self, name: str, text: str) -> None:
        """Fill in a field."""
        self.browser.reach(name)
        self.browser.replace(text)
        self.actions += 1

    def sees(self, *texts: str) -> None:
        """Wait until the page shows these texts."""
        self.browser.until_shown(*texts)

    def has_sent(self, path: str) -> bool:
        """Return whether the page has sent a request to a route."""
        return any(url.partition("?")[0].endswith(path) for url in self.browser.requested_urls)


@pytest.fixture(params=["desktop", "dark phone"])
def person(browser: Browser, server: Server, defaults: None, request: pytest.FixtureRequest) -> Iterator[Person]:
    """Return a person at the first view; where the job ends, the page has no accessibility problem and fits."""
    if request.param == "dark phone":
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    show(browser, server, "overview")
    browser.until_shown("Providers")
    yield Person(browser)
    assert browser.violations() == []
    assert browser.value("document.documentElement.scrollWidth <= innerWidth")


def test_one_channel_is_checked_now(person: Person) -> None:
    person.press("Channels")
    person.press("Second")
    person.press("Check now")
    # This server has no DAG; with one, the run is shown.
    person.sees("Airflow has not loaded the DAG check_streams yet")
    assert person.has_sent("/checks")
    assert person.actions == 3


def test_the_broken_channels_stand_in_the_first_view(person: Person, server: Server, udi: Udi) -> None:
    for stream in (4, 5, 6):
        udi.runs.settle(RUN, result(stream, run_id=RUN, verdict="dead", reason="no_data", score=0.0))
    show(person.browser, server, "overview")
    person.sees("1 channel dark", "No stream of these channels shows a picture.", "Second", "0 of 3")
    assert person.actions == 0


def test_the_reason_of_a_move_is_shown_and_the_move_undone(person: Person) -> None:
    person.press("Das Erste")
    person.sees("dead: HTTP 404", "best score 0.83")
    person.press("Undo")
    person.browser.until("document.querySelector('main [role=alert]') !== null")
    assert person.has_sent("/undo")
    assert person.actions == 2


def test_a_group_is_never_touched(person: Person, admin: httpx.Client) -> None:
    person.press("Policies")
    person.press("Add a policy")
    person.fill("Groups", "News")
    person.press("Check", " ")
    person.press("Save the policies")
    person.browser.until("![...document.querySelectorAll('button')].some((b) => b.innerText === 'Save the policies')")
    [policy] = admin.get("/policies").json()["policies"]
    assert (policy["match"], policy["check"]) == ({"groups": ["News"]}, False)
    assert person.actions == 5


def test_a_provider_and_a_resolution_are_preferred(person: Person, admin: httpx.Client) -> None:
    person.press("Policies")
    person.press("Add a policy")
    person.fill("Name", "Living room")
    person.fill("Accounts", "Provider A")
    person.fill("Max height", "1080")
    person.press("Save the policies")
    person.browser.until("![...document.querySelectorAll('button')].some((b) => b.innerText === 'Save the policies')")
    [policy] = admin.get("/policies").json()["policies"]
    assert policy == {
        "name": "Living room", "match": {}, "accounts": ["Provider A"], "limits": {"max_height": 1080},
    }  # fmt: skip
    assert person.actions == 6


def test_the_limit_is_changed(person: Person, admin: httpx.Client) -> None:
    person.press("Now")
    person.press("Change the limit…")
    person.browser.until("document.querySelector('dialog[open] input') === document.activeElement")
    person.fill("Streams at the same time", "5")
    person.press("Change")
    person.sees("2 of 5 slots in use")
    assert admin.get("/concurrency/config").json()["global_limit"] == 5
    assert person.actions == 4


def test_a_run_is_stopped(person: Person) -> None:
    run = person.browser.value("document.querySelector('main a[href^=\"#run/\"]').innerText")
    person.press(run)
    person.press("Stop the run")
    person.browser.until("document.querySelector('main [role=alert]') !== null")
    assert person.has_sent("/stop")
    assert person.actions == 2


def test_the_playlist_of_what_works_is_found(person: Person, server: Server) -> None:
    person.press("Results")
    person.press("Playlist for players")
    person.sees(f"{server.address}/api/stream-checker/playlist.m3u?token=", "STREAMFLOW_PLAYLIST_TOKEN")
    assert person.actions == 2
