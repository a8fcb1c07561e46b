"""The page of a stream: the tries of its last check, and its two latest checks side by side."""

from __future__ import annotations

import json
from datetime import timedelta

from streamflow import thumbnails
from streamflow.udi import Udi
from support.browser import Browser

from ..library import NOW, result
from ..server import Server
from .place import in_browser, show

TRY = {"verdict": "dead", "reason": "http_5xx", "detail": "503", "elapsed_s": 0.4, "address": "http, public"}
PIXEL = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300"
    + "01" * 64
    + "ffc0000b080001000101011100ffc40014000100000000000"
    "00000000000000000000003ffc40014100100000000000000000000000000000000ffda0008010100003f0037ffd9"
)


@in_browser
def test_tries_and_differences_are_shown_with_both_pictures(browser: Browser, server: Server, udi: Udi) -> None:
    home = server.home / "streamflow"
    for _ in range(2):
        thumbnails.save(home, 1, PIXEL)
    tries = [
        TRY | {"first_byte_ms": None, "first_frame_ms": None, "at": NOW.isoformat()},
        TRY | {"verdict": "ok", "reason": None, "first_byte_ms": 90, "first_frame_ms": 410, "at": NOW.isoformat()},
    ]
    latest = {"checked_at": NOW + timedelta(seconds=1), "attempts": 2, "extra": {"tries": tries}}
    udi.runs.settle("no run", result(1, **latest, height=720, width=1280, score=0.6, bitrate_kbps=6100))
    show(browser, server, "stream/1")
    browser.until_shown("2 connections", "HTTP 5xx", "http, public", "0.1 s", "The two latest checks", "1280×720")
    marked = "[...document.querySelectorAll('mark')].map((one) => one.innerText)"
    assert browser.value(marked) == ["0.83", "0.60", "1920×1080", "1280×720"]
    assert browser.value("[...document.querySelectorAll('.pictures img')].map((one) => one.alt)") == [
        "Former picture of Channel 1 HD",
        "Latest picture of Channel 1 HD",
    ]
    for former in (False, True):
        thumbnails.path(home, 1, former=former).unlink()


@in_browser
def test_a_stream_that_no_proxy_plays_tells_why(browser: Browser, server: Server, udi: Udi) -> None:
    show(browser, server, "stream/1")
    browser.reach("Open in a player")
    browser.press("Enter")
    browser.until_shown("only Dispatcharr has a proxy for players")


@in_browser
def test_the_player_tells_beforehand_and_afterwards_why_it_shows_nothing(
    browser: Browser, server: Server, udi: Udi
) -> None:
    show(browser, server, "stream/1")
    browser.reach("Watch")
    browser.press("Enter")
    browser.until_shown("takes one connection of Provider A", "only Dispatcharr has a proxy for players")
    assert browser.value("[...document.querySelectorAll('dialog button')].find((b) => b.innerText === 'Play').disabled")

    def words(function: str, *arguments: object) -> str:
        given = ", ".join(json.dumps(one) for one in arguments)
        return str(browser.value(f"import('./parts/player_faults.js').then((faults) => faults.{function}({given}))"))

    address, secure = "http://192.0.2.7:9191/proxy/ts/stream/x", {"protocol": "https:"}
    assert "DISPATCHARR_PUBLIC_URL" in words("unplayable", address, None, secure)
    assert words("unplayable", "http://127.0.0.1:9191/proxy/ts/stream/x", None, secure) == "None"
    mpeg2 = {"video_codec": "mpeg2video", "audio": [{"codec": "ac3"}]}
    assert "MPEG-2 and AC-3" in words("unplayable", address, mpeg2)
    assert words("unplayable", address, {"video_codec": "h264", "audio": [{"codec": "aac"}]}) == "None"
    assert "CORS" in words("playerFault", address, "Exception")
    assert "no free connection" in words("playerFault", address, "HttpStatusCodeInvalid", {"code": 503})
    assert "only the sound" in words("silentFault", {"audioCodec": "mp4a.40.2"}, None).lower()


@in_browser
def test_a_check_with_one_connection_shows_its_try(browser: Browser, server: Server, udi: Udi) -> None:
    udi.runs.settle("no run", result(30, extra={"first_byte_ms": 80, "address": "https, private"}))
    show(browser, server, "stream/30")
    browser.until_shown("1 connection", "https, private", "0.1 s", "0.4 s", "10.2 s")
