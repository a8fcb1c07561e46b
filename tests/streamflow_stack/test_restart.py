from __future__ import annotations

import pytest

from streamflow_stack.restart import RestartPolicy, Restarts


def test_a_process_that_lived_is_started_again_after_the_first_pause() -> None:
    restarts = Restarts(RestartPolicy(pause_seconds=1))
    assert [restarts.after(lived) for lived in (31, 100, 3600)] == [1, 1, 1]


def test_a_process_that_ends_soon_after_its_start_stays_ended() -> None:
    assert Restarts(RestartPolicy(short_life_seconds=30)).after(29) is None


def test_pauses_double_up_to_their_bound_and_shrink_after_a_long_life() -> None:
    policy = RestartPolicy(tolerated_failures=None, pause_seconds=1, longest_pause_seconds=5)
    restarts = Restarts(policy)
    assert [restarts.after(lived) for lived in (60, 1, 1, 1, 1, 60)] == [1, 2, 4, 5, 5, 1]
    assert policy.pause(100_000) == 5


@pytest.mark.parametrize("tolerated", [1, 2])
def test_only_failures_in_a_row_count(tolerated: int) -> None:
    restarts = Restarts(RestartPolicy(tolerated_failures=tolerated))
    for _ in range(2):
        assert all(restarts.after(1) for _ in range(tolerated))
        assert restarts.after(60)
    assert all(restarts.after(1) for _ in range(tolerated))
    assert restarts.after(1) is None
