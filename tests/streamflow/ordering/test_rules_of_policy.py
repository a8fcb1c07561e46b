"""The order of a channel by its policy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.config import Config
from streamflow.ordering.moves import Arrangement
from streamflow.ordering.order import Order, ordered
from streamflow.ordering.rules_of_policy import rules_of
from streamflow.ordering.standing import Standing
from streamflow.policies.policy import Policy
from streamflow.records import Account, AudioTrack, DeadMemory
from support.library import result, stream

ACCOUNTS = {number: Account(id=number, name=name) for number, name in ((1, "A"), (2, "B"), (3, "C"))}


def working(stream_id: int, score: float, account: int = 1, **fields: Any) -> Standing:
    if language := fields.pop("language", None):
        fields["audio"] = (AudioTrack(codec="aac", language=language),)
    verdict = "degraded" if "reason" in fields else "ok"
    found = result(stream_id, verdict, account_id=account, **({"height": 720, "width": 1280} | fields))
    return Standing(found, score, DeadMemory(), account=ACCOUNTS[account])


def dead(stream_id: int) -> Standing:
    return Standing(result(stream_id, "dead", reason="http_404"), 0.0, DeadMemory(failures=3))


def arranged(
    listed: list[Standing],
    policy: dict[str, Any],
    *,
    removed: tuple[int, ...] = (),
    may_remove: bool = True,
    settings: dict[str, Any] | None = None,
) -> Arrangement:
    """Arrange streams 0, 1 …, of which those in ``removed`` are out of the channel."""
    standings = dict(enumerate(listed))
    streams = {i: stream(i, name=f"stream {i}") for i in standings}
    general = Config.model_validate(settings or {})
    rules = rules_of(Policy.model_validate(policy), general, streams, standings, may_remove=may_remove)
    before = tuple(i for i in standings if i not in removed)
    return Arrangement(before, ordered(before, removed, standings, rules), standings, rules)


def order(listed: list[Standing], **policy: Any) -> tuple[int, ...]:
    return arranged(listed, policy).order.stream_ids


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, (1, 2, 0)),
        ({"order": "score"}, (1, 2, 0)),
        ({"order": "provider", "accounts": ["B", "A"]}, (2, 1, 0)),
        ({"accounts": ["B"]}, (2, 1, 0)),
        ({"order": "provider"}, (1, 0, 2)),
        ({"order": "provider", "accounts": [2, 1]}, (2, 1, 0)),
    ],
)
def test_accounts_come_in_the_order_given_and_by_score_within(
    policy: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert order([working(0, 0.5, 1), working(1, 0.9, 1), working(2, 0.7, 2)], **policy) == expected


def test_quality_decides_by_the_estimated_opinion_score() -> None:
    listed = [working(0, 0.9, quality=3.0), working(1, 0.5, quality=4.4), working(2, 0.6, quality=4.45)]
    assert order(listed, order="quality") == (1, 2, 0)
    # Without a quality of every stream the scores decide.
    assert order([working(0, 0.5, quality=5.0), working(1, 0.9)], order="quality") == (1, 0)


def test_a_stream_that_fails_often_loses_quality_too() -> None:
    unreliable = Standing(result(1, quality=4.5), 0.9, DeadMemory(), reliability=0.8)
    assert order([unreliable, working(1, 0.5, quality=4.2)], order="quality") == (1, 0)


def test_the_usual_resolution_of_the_channel_comes_first() -> None:
    listed = [
        working(0, 0.9, height=2160, width=3840),
        working(1, 0.5),
        working(2, 0.6),
        working(3, 0.7, height=576, width=720),
    ]
    assert order(listed, order="same_resolution") == (2, 1, 0, 3)


def test_accounts_take_turns() -> None:
    listed = [working(0, 0.9, 1), working(1, 0.8, 1), working(2, 0.7, 1), working(3, 0.5, 2), working(4, 0.6, 3)]
    assert order(listed, order="interleave") == (0, 4, 3, 1, 2)
    assert order(listed, order="interleave", accounts=["B"]) == (3, 0, 4, 1, 2)


def test_streams_beyond_the_limits_come_behind_and_leave_with_remove_alone() -> None:
    listed = [working(0, 0.9, height=2160, width=3840), working(1, 0.8, bitrate_kbps=20_000), working(2, 0.3)]
    limits = {"max_height": 1080, "max_bitrate_kbps": 12_000}
    assert arranged(listed, {"limits": limits}).order == Order((2, 0, 1))
    assert arranged(listed, {"limits": limits, "remove": False}).order == Order((2, 0, 1))
    removed = arranged(listed, {"limits": limits, "remove": True})
    assert removed.order == Order((2,), (1, 0))
    assert [move.why for move in removed.moves()][1:] == [
        "removed, 2160 lines, above max_height 1080",
        "removed, 20000 kbit/s, above max_bitrate_kbps 12000",
    ]
    held = arranged(listed, {"limits": limits, "remove": True}, may_remove=False)
    assert held.order == Order((2, 0, 1), held=(1, 0))


def test_a_channel_without_a_stream_within_the_limits_keeps_one() -> None:
    listed = [working(0, 0.9, height=2160, width=3840), working(1, 0.8, height=1440)]
    assert arranged(listed, {"limits": {"max_height": 1080}, "remove": True}).order == Order((0,), (1,))


def test_a_removed_stream_beyond_the_limits_does_not_come_back() -> None:
    listed = [working(0, 0.5), working(1, 0.9, height=2160, width=3840), working(2, 0.8)]
    policy = {"limits": {"max_height": 1080}, "remove": True}
    assert arranged(listed, policy, removed=(1, 2)).order == Order((2, 0))


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [({"height": 1080}, (1, 0, 2)), ({"min_fps": 50}, (2, 1, 0)), ({"height": 1080, "min_fps": 50}, (1, 2, 0))],
)
def test_preferred_properties_come_first(prefer: dict[str, Any], expected: tuple[int, ...]) -> None:
    listed = [
        working(0, 0.9, fps=25.0),
        working(1, 0.5, fps=49.96, width=1920, height=800),
        working(2, 0.8, fps=59.94),
    ]
    assert order(listed, prefer=prefer) == expected


def test_the_first_language_comes_first_and_an_undeclared_one_before_a_foreign_one() -> None:
    listed = [
        working(0, 0.9, language="fra"),
        working(1, 0.8),
        working(2, 0.7, language="en"),
        working(3, 0.6, language="ger"),
    ]
    assert order(listed, audio=["deu", "eng"]) == (3, 2, 1, 0)


def test_limits_go_before_sound_before_preferences_before_the_order() -> None:
    listed = [
        working(0, 0.1, 2, fps=25.0, language="eng"),
        working(1, 0.1, 1, fps=50.0, language="eng"),
        working(2, 0.1, 1, fps=50.0, language="deu"),
        working(3, 0.9, 1, fps=50.0, language="deu", height=2160, width=3840),
    ]
    policy = {"limits": {"max_height": 1080}, "audio": ["deu"], "prefer": {"min_fps": 50}, "accounts": ["B", "A"]}
    assert order(listed, **policy) == (2, 1, 0, 3)
    assert order(listed, **{**policy, "audio": [], "prefer": {}}) == (0, 1, 2, 3)


def test_no_preference_puts_a_black_stream_ahead_of_one_that_shows_something() -> None:
    listed = [working(0, 0.5, 2), working(1, 0.1, 1, reason="black_video")]
    assert order(listed, accounts=["A"]) == (0, 1)


def test_the_most_streams_stay_and_the_last_ones_leave_unless_nothing_may_be_removed() -> None:
    listed = [working(0, 0.3), working(1, 0.9), working(2, 0.6), working(3, 0.1)]
    removed = arranged(listed, {"max_streams": 2})
    assert removed.order == Order((1, 2), (3, 0))
    assert removed.moves()[-1].why == "removed, score 0.100; the channel keeps 2 streams"
    assert arranged(listed, {"max_streams": 2, "remove": False}).order == Order((1, 2, 0, 3))
    assert arranged(listed, {"max_streams": 2}, may_remove=False).order == Order((1, 2, 0, 3), held=(3, 0))
    assert arranged(listed, {"max_streams": 2, "pin": ["stream 3"]}).order == Order((1, 3), (0, 2))
    assert arranged(listed, {"max_streams": 1}, settings={"dead_streams": {"keep_at_least": 3}}).order.removed == (3,)


def test_a_surplus_stream_comes_back_only_in_the_place_of_a_worse_one() -> None:
    listed = [working(0, 0.3), working(1, 0.5), working(2, 0.9), working(3, 0.1)]
    assert arranged(listed, {"max_streams": 2}, removed=(2, 3)).order == Order((2, 1), (0,))


def test_undecided_streams_are_never_surplus() -> None:
    listed = [working(0, 0.3), Standing(None, None, DeadMemory())]
    assert arranged(listed, {"max_streams": 1}).order == Order((1,), (0,))


@pytest.mark.parametrize(
    ("policy", "general", "expected"),
    [
        ({}, "remove", Order((1,), (0,))),
        ({"remove": False}, "remove", Order((1, 0))),
        ({"remove": True}, "move_last", Order((1,), (0,))),
        ({}, "move_last", Order((1, 0))),
        ({"reorder": False}, "move_last", Order((0, 1))),
        ({"reorder": False}, "remove", Order((1,), (0,))),
        ({"reorder": False, "remove": False}, "remove", Order((0, 1))),
        ({"check": False}, "remove", Order((0, 1))),
    ],
)
def test_order_and_removal_are_decided_apart(policy: dict[str, Any], general: str, expected: Order) -> None:
    found = arranged([dead(0), working(1, 0.9)], policy, settings={"dead_streams": {"action": general}})
    assert found.order == expected


def test_pinned_streams_keep_their_place_whatever_the_policy_says() -> None:
    listed = [working(0, 0.1, height=2160, width=3840), working(1, 0.2), working(2, 0.9)]
    policy = {"pin": ["stream 0"], "limits": {"max_height": 1080}, "remove": True, "max_streams": 2}
    assert arranged(listed, policy).order == Order((0, 2), (1,))


def test_moves_name_the_rule_that_decided() -> None:
    listed = [working(0, 0.9, 2), working(1, 0.5, 1)]
    assert [move.why for move in arranged(listed, {"accounts": ["A"]}).moves()] == [
        "score 0.500, account A, ahead of stream 0, account B",
        "score 0.900, account B, behind stream 1, account A",
    ]
    quality = [working(0, 0.9, quality=3.0), working(1, 0.5, quality=4.0)]
    assert (
        arranged(quality, {"order": "quality"}).moves()[0].why
        == "score 0.500, 0.750 points, more than 0.05 above stream 0 with 0.500"
    )
    kept = arranged([working(0, 0.1), working(1, 0.9)], {"reorder": False})
    assert [move.why for move in kept.stays()] == ["score 0.900; the policy keeps the order"]


STANDINGS = st.lists(
    st.one_of(
        st.builds(
            working,
            st.just(1),
            st.floats(0.01, 1.2),
            st.sampled_from([1, 2, 3]),
            height=st.sampled_from([576, 720, 1080, 2160]),
            fps=st.sampled_from([25.0, 50.0]),
            quality=st.sampled_from([None, 2.5, 4.5]),
            language=st.sampled_from([None, "deu", "fra"]),
        ),
        st.just(dead(1)),
        st.just(Standing(None, None, DeadMemory())),
    ),
    max_size=8,
)
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "order": st.sampled_from(["quality", "provider", "same_resolution", "interleave"]),
        "prefer": st.just({"min_fps": 50}),
        "limits": st.just({"max_height": 1080}),
        "audio": st.just(["deu"]),
        "max_streams": st.integers(1, 6),
        "remove": st.booleans(),
        "reorder": st.booleans(),
        "pin": st.lists(st.integers(0, 7), max_size=2),
    },
)


@given(STANDINGS, POLICIES, st.booleans())
def test_no_stream_is_lost_or_doubled_and_ordering_again_changes_nothing(
    listed: list[Standing], policy: dict[str, Any], may_remove: bool
) -> None:
    first = arranged(listed, policy, may_remove=may_remove)
    found = first.order
    assert sorted((*found.stream_ids, *found.removed)) == sorted(first.standings)
    again = ordered(found.stream_ids, found.removed, first.standings, first.rules)
    assert (again.stream_ids, again.held, again.removed) == (found.stream_ids, found.held, ())
    assert not (found.removed and not may_remove)
    for move in (*first.moves(), *first.stays()):
        assert move.why
