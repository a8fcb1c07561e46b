"""A status and the text of a response have one verdict and reason."""

from __future__ import annotations

import email.utils
import time

import pytest

from streamflow.probing.judgement import refusal


@pytest.mark.parametrize(
    ("status", "verdict", "reason", "retryable"),
    [
        (400, "dead", "http_4xx", True),
        (401, "dead", "unauthorized", False),
        (403, "dead", "unauthorized", True),
        (404, "dead", "http_404", False),
        (406, "dead", "http_4xx", True),
        (410, "dead", "http_410", False),
        (429, "unknown", "provider_busy", True),
        (451, "dead", "geo_blocked", False),
        (456, "unknown", "provider_busy", True),
        (458, "unknown", "provider_busy", True),
        (459, "unknown", "provider_busy", True),
        (461, "dead", "http_4xx", True),
        (500, "dead", "http_5xx", True),
        (502, "dead", "http_5xx", True),
        (503, "unknown", "provider_busy", True),
        (509, "unknown", "provider_busy", True),
        (512, "dead", "http_5xx", True),
        (521, "dead", "http_5xx", True),
        (551, "dead", "http_5xx", True),
    ],
)
def test_a_status_has_one_meaning(status: int, verdict: str, reason: str, retryable: bool) -> None:
    found = refusal.of_status(status, {}, account_busy=False)
    assert (found.verdict, found.reason, found.retryable) == (verdict, reason, retryable)
    assert f"HTTP {status}" in found.detail


def test_403_means_too_many_connections_where_the_account_is_in_use() -> None:
    assert refusal.of_status(403, {}, account_busy=True).reason == "provider_busy"
    assert refusal.of_status(401, {}, account_busy=True).reason == "unauthorized"
    assert refusal.of_status(403, {}, b"This stream is geo-blocked", account_busy=True).reason == "geo_blocked"


@pytest.mark.parametrize(
    ("status", "failure"),
    [(403, "unauthorized"), (429, "http_4xx"), (503, "http_5xx"), (509, "http_5xx"), (458, None), (404, None)],
)
def test_a_status_of_busy_providers_and_of_those_that_are_down_names_both(status: int, failure: str | None) -> None:
    expected = {"failed_with": failure, "beside_others": True} if failure else {}
    assert refusal.of_status(status, {}, account_busy=True).extra == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"Maximum number of connections reached", "provider_busy"),
        (b"<h1>Too many active connections</h1>", "provider_busy"),
        (b"This stream is geo-blocked", "geo_blocked"),
        (b"Content is not available in your country", "geo_blocked"),
        (b"Your subscription has ended", "unauthorized"),
        (b"", "unauthorized"),
    ],
)
def test_the_text_of_a_403_may_explain_it(text: bytes, reason: str) -> None:
    assert refusal.of_status(403, {}, text, account_busy=False).reason == reason


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2", 2), (" 30 ", 30), ("86400", 600), ("soon", None), ("-5", None), ("", None), (None, None)],
)
def test_retry_after_is_a_bounded_number_of_seconds(value: str | None, seconds: float | None) -> None:
    assert refusal.retry_after(value) == seconds


def test_retry_after_may_be_a_date() -> None:
    assert refusal.retry_after(email.utils.formatdate(time.time() + 40, usegmt=True)) == pytest.approx(40, abs=2)
    assert refusal.retry_after(email.utils.formatdate(time.time() - 40, usegmt=True)) == 0.0
