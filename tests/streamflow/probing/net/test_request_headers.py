"""The headers that a probe sends."""

from __future__ import annotations

import pytest

from streamflow.probing.net.request_headers import request_headers


@pytest.mark.parametrize(
    "name", ["Host", "host", "Connection", "Transfer-Encoding", "Metadata-Flavor", "X-aws-ec2-metadata-token",
             "Metadata", "Content-Length", "Proxy-Authorization", "Upgrade", "TE", "Range", "bad name", ""]
)  # fmt: skip
def test_a_playlist_cannot_set_a_header_that_steers_the_connection(name: str) -> None:
    assert request_headers({name: "x"}) == request_headers({})


def test_a_players_headers_are_sent_and_replaced_by_the_accounts() -> None:
    assert request_headers({})["Accept-Language"] == "en_US"
    assert request_headers({"accept-language": "de", "Referer": "http://a/"}) == {
        "Accept": "*/*", "Accept-Language": "de", "Referer": "http://a/",
    }  # fmt: skip
    assert "X" not in request_headers({"X": "a\r\nEvil: yes"})
