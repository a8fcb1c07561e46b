from __future__ import annotations

from typing import Any

import pytest

from streamflow.checking.tries import BUSY_TRIES, Tries, address_class, pause_before_next
from streamflow.config import Probe
from streamflow.probing import ProbeOutcome
from support.library import result

SETTINGS = Probe(retries=2, retry_delay=7)


def outcome(verdict: Any, reason: str | None = None, **fields: Any) -> ProbeOutcome:
    return ProbeOutcome(result(1, verdict, reason=reason), **fields)


def all_tries(each: ProbeOutcome, tries: Tries | None = None) -> tuple[list[float | None], Tries]:
    """Return the pauses after each try of a stream that always ends the same, and the tries at the end."""
    pauses: list[float | None] = []
    tries = tries or Tries()
    while not pauses or pauses[-1] is not None:
        tries = Tries.model_validate(tries.after(each).state)
        pauses.append(pause_before_next(each, tries, SETTINGS))
    return pauses, tries


def test_a_stream_that_works_is_tried_once() -> None:
    assert all_tries(outcome("ok"))[0] == [None]


def test_a_dead_verdict_stands_after_the_retries_and_the_findings_of_each_are_kept() -> None:
    pauses, tries = all_tries(outcome("dead", "http_5xx", retryable=True))
    assert pauses == [7, 7, None]
    assert tries.attempts == 3
    assert [findings["reason"] for findings in tries.tries] == ["http_5xx"] * 3


def test_a_fault_of_the_probe_itself_is_tried_again() -> None:
    assert all_tries(outcome("unknown", "internal_error", retryable=True))[0] == [7, 7, None]


def test_a_verdict_that_no_try_can_change_stands_at_once() -> None:
    assert all_tries(outcome("dead", "http_404", retryable=False))[0] == [None]


def test_a_busy_provider_is_asked_again_when_it_says_but_not_for_ever() -> None:
    pauses, tries = all_tries(outcome("unknown", "provider_busy", retry_after=42))
    assert pauses == [42] * (BUSY_TRIES - 1) + [None]
    assert tries.busy == BUSY_TRIES


def test_a_busy_provider_that_names_no_time_is_not_asked_at_once() -> None:
    busy = outcome("unknown", "provider_busy", retry_after=0)
    assert pause_before_next(busy, Tries().after(busy), SETTINGS) == 7


def test_tries_at_a_busy_provider_are_no_tries_of_the_stream() -> None:
    tries = Tries().after(outcome("unknown", "provider_busy"))
    assert all_tries(outcome("dead", "no_data", retryable=True), tries)[0] == [7, 7, None]


def test_only_a_refusal_by_a_still_picture_is_suspicious() -> None:
    assert Tries().after(outcome("unknown", "provider_busy", slate=b"picture")).suspicious
    assert not Tries().after(outcome("unknown", "provider_busy")).suspicious
    assert not Tries().after(outcome("degraded", "frozen_video", slate=b"picture")).suspicious


def test_the_state_of_an_earlier_version_is_read() -> None:
    tries = Tries.model_validate({"attempts": 2, "busy": 1, "tries": [{"reason": "no_data"}], "added later": 1})
    assert (tries.attempts, tries.busy, tries.suspicious) == (2, 1, False)


@pytest.mark.parametrize(
    ("url", "by_proxy", "expected"),
    [
        ("http://user:secret@provider.example:8080/live/1.ts", False, "http, public"),
        ("https://10.0.0.7/1.ts|User-Agent=x", False, "https, private"),
        ("rtsp://[::1]/1", False, "rtsp, private"),
        ("http://169.254.169.254/", False, "http, forbidden"),
        ("http://provider.example/1.ts", True, "http, public, by a proxy"),
        ("http://[broken/1.ts", False, "no address"),
    ],
)
def test_the_class_of_an_address_names_no_host(url: str, by_proxy: bool, expected: str) -> None:
    assert address_class(url, by_proxy=by_proxy) == expected


def test_each_try_has_its_times_and_its_address() -> None:
    measured = result(1, "ok", first_frame_ms=420, elapsed_s=10.2, extra={"first_byte_ms": 80})
    [one] = Tries().after(ProbeOutcome(measured), "http, public").tries
    assert (one["address"], one["first_byte_ms"], one["first_frame_ms"], one["elapsed_s"]) == (
        "http, public",
        80,
        420,
        10.2,
    )
    assert one["at"] == measured.checked_at.isoformat()
