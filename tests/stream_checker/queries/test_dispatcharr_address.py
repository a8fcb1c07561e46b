"""Addresses of Dispatcharr for browsers."""

from __future__ import annotations

import pytest

from stream_checker.queries.dispatcharr_address import channels_page, proxy_source


@pytest.mark.parametrize(
    ("public_url", "url", "page"),
    [
        ("", "http://dispatcharr:9191/", "http://dispatcharr:9191/channels"),
        ("https://tv.example.org/d", "http://dispatcharr:9191", "https://tv.example.org/d/channels"),
        ("", "http://admin:word@192.0.2.7:9191", "http://192.0.2.7:9191/channels"),
        ("javascript:alert(1)", "", None),
        ("", "", None),
    ],
)
def test_it_is_the_address_for_browsers_without_a_login(
    monkeypatch: pytest.MonkeyPatch, public_url: str, url: str, page: str | None
) -> None:
    monkeypatch.setenv("DISPATCHARR_PUBLIC_URL", public_url)
    monkeypatch.setenv("DISPATCHARR_URL", url)
    assert channels_page() == page


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("http://dispatcharr:9191", "http://dispatcharr:9191/proxy/ts/stream/"),
        ("https://admin:word@[2001:db8::7]/d/", "https://[2001:db8::7]/d/proxy/ts/stream/"),
        ("http://dispatcharr:9191/;script-src *", None),
        ("http://a b", None),
        ("", None),
    ],
)
def test_the_policy_of_the_page_allows_the_proxy_alone(
    monkeypatch: pytest.MonkeyPatch, url: str, source: str | None
) -> None:
    monkeypatch.setenv("DISPATCHARR_PUBLIC_URL", url)
    monkeypatch.setenv("DISPATCHARR_URL", "")
    assert proxy_source() == source
