"""A panel's figures about a login, over real HTTP: the lab's panel, and the replies of bad ones."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from lab import Account, Group, Lab, Library, Media, Stream, running
from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.sources.xtream import Panel, UserInfo
from support import web_server


@pytest.fixture
def provider(lab_media: Media) -> Iterator[Lab]:
    account = Account(1, "One", "user", "pa55word", max_streams=2)
    with running(Library([account], [Stream(7, "News", 1, group_id=3)], groups=[Group(3, "World")]), lab_media) as lab:
        lab.url(7)
        yield lab


@contextmanager
def serving(body: bytes, status: int = 200, length: int | None = None) -> Iterator[Panel]:
    """Serve a panel that sends the same reply to every request."""
    with web_server.serving(body, status, length=length) as address:
        yield Panel(address, "user", "pa55word")


def test_limit_and_connections_are_the_providers_figures(provider: Lab) -> None:
    panel = Panel(provider.provider, "user", "pa55word")
    info = panel.user_info()
    assert (info.status, info.max_connections, info.active_connections) == ("Active", 2, 0)
    assert (info.expires_at, info.formats) == (None, ("m3u8", "ts"))
    with httpx.Client(trust_env=False) as client, client.stream("GET", provider.url(7)) as watching:
        media = watching.iter_raw()
        next(media)
        assert panel.user_info().active_connections == 1


def test_a_wrong_login_is_refused(provider: Lab) -> None:
    with pytest.raises(SourceRefused, match="user name and password"):
        Panel(provider.provider, "user", "wrong").user_info()


@pytest.mark.parametrize(
    ("raw", "limit", "active", "expires"),
    [
        (b'{"max_connections": "3", "active_cons": "1", "exp_date": "1767225600"}', 3, 1, 2026),
        (b'{"max_connections": 0, "active_cons": 0, "exp_date": 1767225600}', 0, 0, 2026),
        (b'{"max_connections": null, "active_cons": -1, "exp_date": null}', None, None, None),
        (b'{"max_connections": "Unlimited", "active_cons": 2.0, "exp_date": "1767225600.0"}', 0, 2, 2026),
        (b'{"max_connections": 2.0, "active_cons": "1.0"}', 2, 1, None),
        (b'{"max_connections": 2.5, "active_cons": 1e999}', None, None, None),
        (b'{"max_connections": 100000000000000000000000, "active_cons": NaN}', 1_000_000, None, None),
        (b'{"max_connections": "", "active_cons": "many", "exp_date": "Unlimited"}', None, None, None),
        (b'{"max_connections": [1], "active_cons": true, "exp_date": 99999999999999999}', None, None, None),
    ],
)
def test_figures_are_read_in_any_notation(
    raw: bytes, limit: int | None, active: int | None, expires: int | None
) -> None:
    with serving(b'\xef\xbb\xbf{"user_info": ' + raw + b"}") as panel:
        info = panel.user_info()
    assert (info.max_connections, info.active_connections) == (limit, active)
    assert (info.expires_at.year if info.expires_at else None) == expires


def test_missing_figures_stay_missing() -> None:
    with serving(b'{"user_info": {}}') as panel:
        assert panel.user_info() == UserInfo()


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"<html>Welcome</html>", 200, SourceUnavailable),
        (b"", 200, SourceUnavailable),
        (b"[]", 200, SourceUnavailable),
        (b'{"server_info": {}}', 200, SourceUnavailable),
        (b"Bad gateway", 502, SourceUnavailable),
        (b"Slow down", 429, SourceUnavailable),
        (b"Forbidden", 403, SourceRefused),
        (b"Not found", 404, SourceRefused),
        (b'{"user_info": []}', 200, SourceRefused),
        (b'{"user_info": {"auth": "0"}}', 200, SourceRefused),
        (b"x" * (2 << 20), 200, SourceRefused),
        (b"[" * 500_000, 200, SourceUnavailable),
        (b'{"user_info": {"max_connections": ' + b"9" * 5000 + b"}}", 200, SourceUnavailable),
    ],
)
def test_an_invalid_reply_is_an_error_with_the_panels_name(body: bytes, status: int, error: type[Exception]) -> None:
    with serving(body, status) as panel, pytest.raises(error, match="the Xtream panel at http://127"):
        panel.user_info()


def test_a_reply_that_is_cut_off_is_a_temporary_failure() -> None:
    with serving(b'{"user_info": {', length=100) as panel, pytest.raises(SourceUnavailable, match="cannot be read"):
        panel.user_info()


def test_the_password_is_in_no_log_no_error_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(b"Forbidden", 403) as panel, pytest.raises(SourceRefused) as refused:
        panel.user_info()
    gone = replace(panel, server="http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable) as away:
        gone.user_info()
    shown = [caplog.text, repr(panel), *("".join(traceback.format_exception(e.value)) for e in (refused, away))]
    assert "403" in caplog.text
    assert not any("pa55word" in text for text in shown)
