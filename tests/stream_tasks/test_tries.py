from __future__ import annotations

from typing import Any

from stream_tasks.tries import BUSY_TRIES, decide
from streamflow.config import Probe
from streamflow.probing import ProbeOutcome
from support.library import result

SETTINGS = Probe(retries=2, retry_delay=7)


def outcome(verdict: Any, reason: str | None = None, **fields: Any) -> ProbeOutcome:
    return ProbeOutcome(result(1, verdict, reason=reason), **fields)


def all_tries(what: ProbeOutcome) -> tuple[list[float | None], dict[str, Any]]:
    """The delays after each try of a stream that always ends the same, and what is known at the end."""
    delays: list[float | None] = []
    state: dict[str, Any] = {}
    while not delays or delays[-1] is not None:
        delay, state = decide(what, state, SETTINGS)
        delays.append(delay)
    return delays, state


def test_a_stream_that_works_is_tried_once() -> None:
    assert all_tries(outcome("ok"))[0] == [None]


def test_dead_is_stored_after_the_retries_and_what_each_saw_is_kept() -> None:
    delays, state = all_tries(outcome("dead", "http_5xx", retryable=True))
    assert delays == [7, 7, None]
    assert state["attempts"] == 3
    assert [one["reason"] for one in state["tries"]] == ["http_5xx"] * 3


def test_a_fault_of_the_probe_itself_is_tried_again() -> None:
    assert all_tries(outcome("unknown", "internal_error", retryable=True))[0] == [7, 7, None]


def test_what_no_try_can_change_is_dead_at_once() -> None:
    assert all_tries(outcome("dead", "http_404", retryable=False))[0] == [None]


def test_a_busy_provider_is_waited_for_as_long_as_it_asks_and_not_for_ever() -> None:
    delays, state = all_tries(outcome("unknown", "provider_busy", retry_after=42))
    assert delays == [42] * (BUSY_TRIES - 1) + [None]
    assert state["busy"] == BUSY_TRIES


def test_tries_at_a_busy_provider_are_no_tries_of_the_stream() -> None:
    _, state = decide(outcome("unknown", "provider_busy"), {}, SETTINGS)
    dead = outcome("dead", "no_data", retryable=True)
    delays = []
    for _ in range(3):
        delay, state = decide(dead, state, SETTINGS)
        delays.append(delay)
    assert delays == [7, 7, None]
