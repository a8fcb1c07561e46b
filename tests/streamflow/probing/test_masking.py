"""URLs lose every part that may be a secret."""

from __future__ import annotations

import pytest

from streamflow.masking import mask, mask_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://panel.example:8080/live/user/secret/1.ts", "http://panel.example:8080/***"),
        ("https://user:secret@panel.example/x", "https://panel.example/***"),
        ("http://panel.example/get.php?password=secret", "http://panel.example/***"),
        ("http://user:secret@[2001:db8::1]:80/x", "http://[2001:db8::1]:80/***"),
        ("rtsp://u:secret@camera", "rtsp://camera/***"),
        ("http://panel.example:secret/x", "***"),
        ("http://[secret/x", "***"),
    ],
)
def test_scheme_host_and_port_remain(url: str, shown: str) -> None:
    assert mask_url(url) == shown
    assert mask(f"opening {url} failed") == f"opening {shown} failed"


def test_text_without_a_url_stays() -> None:
    assert mask("HTTP 404 Not Found") == "HTTP 404 Not Found"


def test_urls_without_a_host_are_masked() -> None:
    pool = "HTTPConnectionPool(host='tv.test', port=80): Max retries exceeded with url: "
    assert mask(f"{pool}/player_api.php?username=me&password=word (refused)") == f"{pool}/*** (refused)"
    assert mask(f"{pool}/live/me/word/1.ts (refused)") == f"{pool}/*** (refused)"
    assert mask("GET /get.php?username=me&password=word failed") == "GET /get.php?*** failed"
    for text in ("is the address right? a = b", "re:(?=HD)a=b", "re:(?i)a=b"):
        assert mask(text) == text
