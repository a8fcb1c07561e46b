"""The order of a channel's streams by their standings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.config import DeadStreams
from streamflow.ordering.order import Order, Rules, ordered
from streamflow.ordering.standing import Standing
from streamflow.records import DeadMemory
from support.library import NOW, result

UNDECIDED = Standing(None, None, DeadMemory())


def working(score: float) -> Standing:
    return Standing(result(1), score, DeadMemory())


def dead(failures: int = 1, *, was_alive: bool = False) -> Standing:
    memory = DeadMemory(failures=failures, last_alive=NOW if was_alive else None)
    return Standing(result(1, "dead", reason="http_404"), 0.0, memory)


def rules(
    switch_margin: float = 0.05, pinned: tuple[int, ...] = (), *, may_remove: bool = True, **policy: Any
) -> Rules:
    return Rules(DeadStreams.model_validate(policy), switch_margin, frozenset(pinned), may_remove)


def test_the_best_stream_comes_first_and_equal_ones_keep_their_order() -> None:
    standings = {1: working(0.5), 2: dead(), 3: working(0.8), 4: working(0.5)}
    assert ordered((1, 2, 3, 4), (), standings, rules()) == Order((3, 1, 4, 2))


def test_undecided_streams_keep_their_place() -> None:
    standings = {1: working(0.5), 2: UNDECIDED, 3: working(0.8)}
    assert ordered((1, 2, 3), (), standings, rules()) == Order((3, 2, 1))


@pytest.mark.parametrize(("difference", "order"), [(0.0, (1, 2)), (0.05, (1, 2)), (0.051, (2, 1)), (0.3, (2, 1))])
def test_two_streams_change_places_only_when_their_scores_differ_by_more_than_the_margin(
    difference: float, order: tuple[int, ...]
) -> None:
    assert ordered((1, 2), (), {1: working(0.6), 2: working(0.6 + difference)}, rules()).stream_ids == order


def test_a_stream_that_moves_ahead_passes_the_streams_between_too() -> None:
    standings = {1: working(0.50), 2: working(0.54), 3: working(0.58)}
    assert ordered((1, 2, 3), (), standings, rules()).stream_ids == (3, 1, 2)


@pytest.mark.parametrize(
    ("keep_at_least", "order", "removed"),
    [(0, (), (3, 2, 1)), (1, (1,), (3, 2)), (2, (1, 2), (3,)), (9, (1, 2, 3), ())],
)
def test_the_policy_removes_the_last_dead_streams_first(
    keep_at_least: int, order: tuple[int, ...], removed: tuple[int, ...]
) -> None:
    policy = rules(action="remove", keep_at_least=keep_at_least)
    assert ordered((1, 2, 3), (), {i: dead(2) for i in (1, 2, 3)}, policy) == Order(order, removed)


def test_a_removal_that_is_held_back_leaves_the_stream_last() -> None:
    policy = rules(action="remove", may_remove=False)
    assert ordered((1, 2), (), {1: dead(2), 2: working(0.5)}, policy) == Order((2, 1), held=(1,))


def test_a_stream_with_too_few_failures_is_not_removed() -> None:
    policy = rules(action="remove", after_failures=3)
    assert ordered((1, 2), (), {1: dead(2), 2: working(0.5)}, policy) == Order((2, 1))


def test_a_removed_stream_comes_back_when_it_works() -> None:
    standings = {1: working(0.5), 2: working(0.8), 3: dead(9)}
    assert ordered((1,), (2, 3), standings, rules(action="remove")) == Order((2, 1))


def test_the_action_none_leaves_dead_streams_in_place() -> None:
    standings = {1: dead(9), 2: working(0.5), 3: working(0.8)}
    assert ordered((1, 2, 3), (), standings, rules(action="none")) == Order((1, 3, 2))


def test_a_stream_that_worked_before_keeps_its_place_until_it_has_failed_often_enough() -> None:
    standings = {1: working(0.5), 2: dead(1, was_alive=True), 3: working(0.5)}
    assert ordered((1, 2, 3), (), standings, rules()).stream_ids == (1, 2, 3)
    standings[2] = dead(2, was_alive=True)
    assert ordered((1, 2, 3), (), standings, rules()).stream_ids == (1, 3, 2)


def test_a_first_stream_that_fails_changes_places_with_the_best_working_one() -> None:
    standings = {1: dead(1, was_alive=True), 2: dead(1, was_alive=True), 3: working(0.5), 4: working(0.8)}
    assert ordered((1, 2, 3, 4), (), standings, rules()).stream_ids == (4, 2, 1, 3)


def test_a_pinned_stream_keeps_its_place_and_is_never_removed() -> None:
    standings = {1: dead(9), 2: working(0.5), 3: working(0.8), 4: dead(9)}
    policy = rules(pinned=(1, 2), action="remove", keep_at_least=0)
    assert ordered((1, 2, 3, 4), (), standings, policy) == Order((1, 2, 3), (4,))


STANDING = st.one_of(
    st.floats(0.01, 1.2).map(working),
    st.builds(dead, st.integers(1, 5), was_alive=st.booleans()),
    st.just(UNDECIDED),
)
RULES = st.builds(
    rules,
    st.sampled_from([0.0, 0.05, 0.3]),
    st.sets(st.integers(0, 7)).map(tuple),
    may_remove=st.booleans(),
    action=st.sampled_from(["move_last", "remove", "none"]),
    keep_at_least=st.integers(0, 3),
)


@given(st.lists(STANDING, max_size=8), RULES)
def test_no_stream_is_lost_or_doubled_and_ordering_again_changes_nothing(listed: list[Standing], rule: Rules) -> None:
    standings = dict(enumerate(listed))
    first = ordered(tuple(standings), (), standings, rule)
    assert sorted((*first.stream_ids, *first.removed)) == sorted(standings)
    again = ordered(first.stream_ids, first.removed, standings, rule)
    assert (again.stream_ids, again.held) == (first.stream_ids, first.held)
    if not rule.may_remove:
        assert not first.removed


@given(st.lists(STANDING, max_size=8), RULES)
def test_no_working_stream_follows_one_that_it_beats(listed: list[Standing], rule: Rules) -> None:
    standings = dict(enumerate(listed))
    order = [i for i in ordered(tuple(standings), (), standings, rule).stream_ids if i not in rule.pinned]
    scores = [standings[i].score or 0.0 for i in order if standings[i].is_working]
    assert all(
        round(later - earlier, 4) <= rule.switch_margin
        for place, earlier in enumerate(scores)
        for later in scores[place:]
    )
