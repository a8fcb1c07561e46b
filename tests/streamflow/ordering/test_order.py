"""The order of a channel's streams by their standings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.config import DeadStreams
from streamflow.ordering.order import Order, ordered
from streamflow.ordering.standing import Standing
from streamflow.records import DeadMemory
from support.library import result


def working(score: float) -> Standing:
    return Standing(result(1), score, DeadMemory())


def dead(failures: int = 1) -> Standing:
    return Standing(result(1, "dead", reason="http_404"), 0.0, DeadMemory(failures=failures))


UNDECIDED = Standing(None, None, DeadMemory())


def test_the_best_stream_comes_first_and_equal_ones_keep_their_order() -> None:
    standings = {1: working(0.5), 2: dead(), 3: working(0.8), 4: working(0.5)}
    assert ordered((1, 2, 3, 4), (), standings, DeadStreams()) == Order((3, 1, 4, 2))


def test_undecided_streams_keep_their_place() -> None:
    standings = {1: working(0.5), 2: UNDECIDED, 3: working(0.8)}
    assert ordered((1, 2, 3), (), standings, DeadStreams()) == Order((3, 2, 1))


@pytest.mark.parametrize(
    ("keep_at_least", "order", "removed"),
    [(0, (), (3, 2, 1)), (1, (1,), (3, 2)), (2, (1, 2), (3,)), (9, (1, 2, 3), ())],
)
def test_the_policy_removes_the_last_dead_streams_first(
    keep_at_least: int, order: tuple[int, ...], removed: tuple[int, ...]
) -> None:
    policy = DeadStreams(action="remove", after_failures=2, keep_at_least=keep_at_least)
    assert ordered((1, 2, 3), (), {i: dead(2) for i in (1, 2, 3)}, policy) == Order(order, removed)


def test_a_stream_with_too_few_failures_is_not_removed() -> None:
    policy = DeadStreams(action="remove", after_failures=3)
    assert ordered((1, 2), (), {1: dead(2), 2: working(0.5)}, policy) == Order((2, 1))


def test_a_removed_stream_comes_back_when_it_works() -> None:
    standings = {1: working(0.5), 2: working(0.8), 3: dead(9)}
    assert ordered((1,), (2, 3), standings, DeadStreams(action="remove")) == Order((2, 1))


def test_the_action_none_leaves_dead_streams_in_place() -> None:
    standings = {1: dead(9), 2: working(0.5), 3: working(0.8)}
    assert ordered((1, 2, 3), (), standings, DeadStreams(action="none")) == Order((1, 3, 2))


STANDING = st.one_of(st.floats(0.01, 1.2).map(working), st.integers(1, 5).map(dead), st.just(UNDECIDED))


@given(st.lists(STANDING, max_size=8), st.sampled_from(["move_last", "remove", "none"]), st.integers(0, 3))
def test_no_stream_is_lost_or_doubled_and_ordering_again_changes_nothing(
    listed: list[Standing], action: str, keep_at_least: int
) -> None:
    policy = DeadStreams.model_validate({"action": action, "keep_at_least": keep_at_least})
    standings = dict(enumerate(listed))
    first = ordered(tuple(standings), (), standings, policy)
    assert sorted((*first.stream_ids, *first.removed)) == sorted(standings)
    again = ordered(first.stream_ids, first.removed, standings, policy)
    assert again == Order(first.stream_ids)
