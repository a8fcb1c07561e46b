"""A provider that is down is told apart from single dead streams."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.checking.circuit import REACHABILITY, Circuit, failure, is_reached, judge, withdrawn
from streamflow.config import Safety
from streamflow.probing.target import BESIDE_OTHERS, FAILED_WITH
from streamflow.records import Result

START = datetime(2026, 1, 2, 3, tzinfo=UTC)
ALIVE = frozenset(range(1, 21))


def result(stream_id: int, reason: str | None = None, *, verdict: str | None = None, at: int | None = None) -> Result:
    return Result(
        stream_id=stream_id,
        account_id=1,
        checked_at=START + timedelta(seconds=stream_id if at is None else at),
        run_id="run",
        verdict=verdict or ("dead" if reason else "ok"),  # type: ignore[arg-type]
        reason=reason,
    )


def judged(*results: Result, alive: frozenset[int] = ALIVE, **safety: float) -> Circuit:
    return judge(results, alive, Safety.model_validate(safety))


@pytest.mark.parametrize("reason", sorted(REACHABILITY))
def test_five_streams_in_a_row_that_fail_open_the_circuit(reason: str) -> None:
    circuit = judged(*(result(i, reason) for i in range(1, 6)))
    assert circuit.state == "open"
    assert [one.stream_id for one in circuit.failed] == [1, 2, 3, 4, 5]
    assert circuit.cause == (f"the provider is down: 5 of 5 streams that worked before failed (5 {reason})")


def test_four_failures_wait_for_more_evidence() -> None:
    assert judged(*(result(i, "no_data") for i in range(1, 5))).state == "undecided"


def test_a_stream_that_plays_after_the_failures_closes_the_circuit() -> None:
    failures = [result(i, "connect_timeout") for i in range(1, 5)]
    assert judged(*failures, result(5)).state == "closed"


def test_a_provider_that_returns_404_is_not_down() -> None:
    assert judged(*(result(i, "http_404") for i in range(1, 20))).state == "closed"


def test_a_provider_that_goes_down_in_mid_run_is_found() -> None:
    served = [result(i) for i in range(1, 16)]
    assert judged(*served, *(result(i, "http_5xx") for i in range(16, 21))).state == "open"


def test_a_provider_that_is_back_closes_the_circuit() -> None:
    down = [withdrawn(result(i, "no_data"), "down") for i in range(1, 11)]
    assert judged(*down).state == "open"
    assert judged(*down, *(result(i) for i in range(11, 14))).state == "closed"


def test_streams_that_were_dead_before_are_no_evidence() -> None:
    dead_before = [result(i, "no_data") for i in range(21, 40)]
    assert judged(*dead_before).state == "closed"
    assert judged(*dead_before, *(result(i, "no_data") for i in range(1, 4))).state == "undecided"


def test_a_login_with_few_streams_is_down_when_all_of_them_fail() -> None:
    few = frozenset({1, 2, 3})
    assert judged(result(1, "no_data"), result(2, "no_data"), alive=few).state == "undecided"
    assert judged(*(result(i, "no_data") for i in (1, 2, 3)), alive=few).state == "open"
    assert judged(result(1, "no_data"), result(2, "no_data"), result(3), alive=few).state == "closed"


@pytest.mark.parametrize("alive", [frozenset[int](), frozenset({1})])
def test_one_stream_alone_cannot_show_that_a_provider_is_down(alive: frozenset[int]) -> None:
    assert judged(result(1, "no_data"), alive=alive).state == "closed"


def test_undecided_results_say_nothing_about_the_provider() -> None:
    busy = [result(i, "provider_busy", verdict="unknown") for i in range(6, 20)]
    failures = [result(i, "unauthorized") for i in range(1, 5)]
    assert judged(*failures, *busy).state in ("closed", "undecided")
    assert judged(*failures, *busy, result(5, "unauthorized")).state == "open"


def refused(stream_id: int, *, at: int, alone: bool = False) -> Result:
    """Return the result of a stream that was refused with a 429, which took a second."""
    extra = {FAILED_WITH: "http_4xx", BESIDE_OTHERS: not alone}
    busy = result(stream_id, "provider_busy", verdict="unknown", at=at)
    return busy.model_copy(update={"extra": extra, "elapsed_s": 1.0})


def test_refusals_beside_others_count_once_a_stream_alone_is_refused_as_well() -> None:
    beside = [refused(i, at=i) for i in range(1, 5)]
    assert judged(*beside, refused(5, at=5)).state == "closed"
    # The last one is still under way when the stream alone begins.
    assert judged(*beside, refused(5, at=4, alone=True)).state == "undecided"
    circuit = judged(*beside, refused(5, at=6, alone=True))
    assert circuit.state == "open"
    assert [one.stream_id for one in circuit.failed] == [1, 2, 3, 4, 5]
    assert judged(*beside, result(5, "unauthorized", at=6)).state == "open"


@pytest.mark.parametrize(("served_at", "state"), [(99, "closed"), (70, "closed"), (30, "open"), (200, "closed")])
def test_refusals_beside_a_stream_that_played_lately_mean_a_busy_provider(served_at: int, state: str) -> None:
    refusals = [refused(i, at=99 + i, alone=i == 19) for i in range(1, 20)]
    circuit = judged(result(20, at=served_at), *refusals)
    assert circuit.state == state
    if state == "closed":
        assert circuit.failed == ()


def test_the_share_is_a_setting() -> None:
    mixed = [result(i, None if i == 1 else "no_data") for i in range(1, 11)]
    assert judged(*mixed, provider_down_least=10).state == "open"
    assert judged(*mixed, provider_down_least=10, provider_down_share=0.95).state == "undecided"


def test_a_withdrawn_result_is_undecided_and_keeps_its_failure() -> None:
    undecided = withdrawn(result(1, "http_5xx"), "the provider is down")
    assert (undecided.verdict, undecided.reason, undecided.detail) == (
        "unknown",
        "source_unavailable",
        "the provider is down",
    )
    assert failure(undecided) == "http_5xx"
    assert withdrawn(undecided, "the provider is down") == undecided


@given(st.permutations([result(i, "no_data" if i > 14 else None) for i in range(1, 21)]))
def test_the_order_in_which_results_are_read_does_not_matter(results: list[Result]) -> None:
    assert judged(*results).state == "open"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_a_circuit_is_open_only_when_the_newest_evidence_fails(seen: list[tuple[bool, bool]]) -> None:
    results = [result(i, "no_data" if fails else None) for i, (fails, _) in enumerate(seen, 1)]
    alive = frozenset(i for i, (_, was_alive) in enumerate(seen, 1) if was_alive)
    circuit = judge(results, alive, Safety())
    assert list(circuit.failed) == [one for one in results if failure(one)]
    if circuit.state == "open":
        evidence = [one for one in results if is_reached(one) or one.stream_id in alive]
        least = min(len(alive), 5)
        assert sum(failure(one) is not None for one in evidence[-10:]) >= least * 0.9
    if results and is_reached(results[-1]) and len(alive) < 10:
        assert circuit.state == "closed"
