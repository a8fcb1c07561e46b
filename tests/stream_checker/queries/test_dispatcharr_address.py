"""The address of Dispatcharr's page of channels."""

from __future__ import annotations

import pytest

from stream_checker.queries.dispatcharr_address import channels_page


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
