"""The view of matching in a real browser."""

from __future__ import annotations

from streamflow.lineup.decisions import decide, decisions
from streamflow.records import Decision
from streamflow.udi import Udi
from support.browser import Browser

from ..library import NOW
from ..server import Server
from .place import in_browser, show


@in_browser
def test_proposals_are_rejected_and_rules_are_tried(browser: Browser, server: Server, udi: Udi) -> None:
    proposed = Decision(state="proposed", at=NOW, why="the name is that of the channel")
    decide(udi, {(1, 11): proposed, (2, 10): proposed})
    show(browser, server, "approvals")
    browser.until_shown("2 streams are proposed for channels.")
    show(browser, server, "matching")
    browser.until_shown("Streams find no channels by themselves", "2 streams for channels")
    browser.until_shown("Channel 1 HD", "Das Erste", "the name is that of the channel")
    # Buttons are shown when the rights of the user are known.
    browser.until("document.querySelector('button.danger')?.ariaLabel === 'Reject Channel 1 HD for Das Erste'")
    browser.reach("Reject")
    browser.press("Enter")
    browser.until_shown("1 stream rejected.", "1 stream for channels")
    assert {pair: one.state for pair, one in decisions(udi).items()} == {(1, 11): "rejected", (2, 10): "proposed"}
    browser.reach("Test the rules")
    browser.press("Enter")
    browser.until_shown("These rules would match 0 streams", "No stream without a channel fits.")
    browser.value("for (const part of document.querySelectorAll('details')) part.open = true")
    browser.until_shown("News: 24 streams", "Each channel has a stream that works.")
    browser.value("for (const part of document.querySelectorAll('details')) part.open = true")
    browser.until_shown("24 streams without a channel")
