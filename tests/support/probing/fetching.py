"""Fetching a URL with the probe's own HTTP client."""

from __future__ import annotations

import pytest

from streamflow.probing.judgement.refusal import Refusal
from streamflow.probing.net.http_client import HttpClient
from streamflow.probing.net.options import NetworkOptions


def body_of(url: str, **options: object) -> bytes:
    """Return the body behind a URL.

    :raises Refusal: the URL cannot be fetched.
    """
    client = HttpClient({}, NetworkOptions(1, 0.5, **options))  # type: ignore[arg-type]
    try:
        with client.get(url) as response:
            return b"".join(response.body)
    finally:
        client.close()


def reason(url: str) -> tuple[str, str]:
    """Return the reason and the detail of the refusal behind a URL."""
    with pytest.raises(Refusal) as caught:
        body_of(url)
    return caught.value.reason, caught.value.detail
