"""The explanation of a new order."""

from __future__ import annotations

from streamflow.ordering.moves import Arrangement, explain
from streamflow.ordering.order import Rules, ordered
from streamflow.ordering.standing import Standing
from streamflow.records import ChannelChange, DeadMemory, Move
from support.library import NOW, result

RULES = Rules(switch_margin=0.05)


def working(stream: int, score: float) -> Standing:
    return Standing(result(stream), score, DeadMemory())


def failed(stream: int) -> Standing:
    return Standing(result(stream, "dead", reason="http_404"), 0.0, DeadMemory(failures=2))


def change(before: tuple[int, ...], standings: dict[int, Standing], rules: Rules = RULES) -> ChannelChange:
    order = ordered(before, (), standings, rules)
    new = Arrangement(before, order, standings, rules)
    return ChannelChange(
        channel_id=1, at=NOW, before=before, after=order.stream_ids, moves=new.moves(), stays=new.stays()
    )


def test_a_move_names_both_scores() -> None:
    moved = change((1, 2), {1: working(1, 0.62), 2: working(2, 0.81)})
    assert explain(moved, {1: "One", 2: "Two"}) == [
        "Two goes up from place 2 to 1: score 0.810, more than 0.05 above One with 0.620.",
        "One goes down from place 1 to 2: score 0.620, behind Two with 0.810.",
    ]


def test_a_move_that_was_not_made_names_both_scores() -> None:
    kept = change((1, 2), {1: working(1, 0.62), 2: working(2, 0.66)})
    assert explain(kept, {1: "One", 2: "Two"}) == [
        "The order was right already.",
        "Two stays at place 2: score 0.660, not more than 0.05 above One with 0.620.",
    ]


def test_a_dead_stream_and_the_stream_ahead_of_it_are_explained() -> None:
    moved = change((1, 2), {1: failed(1), 2: working(2, 0.81)})
    assert explain(moved, {}) == [
        "stream 2 goes up from place 2 to 1: score 0.810, ahead of stream 1, dead: http_404, 2 times in a row.",
        "stream 1 goes down from place 1 to 2: dead: http_404, 2 times in a row.",
    ]


def test_a_stream_on_probation_is_explained() -> None:
    memory = DeadMemory(failures=1, last_alive=NOW)
    standings = {1: working(1, 0.62), 2: Standing(result(2, "dead", reason="no_data"), 0.0, memory)}
    assert explain(change((1, 2), standings), {})[1:] == [
        "stream 2 stays at place 2: dead: no_data; it is moved after 2 failures in a row."
    ]


def test_a_removed_stream_is_explained() -> None:
    policy = RULES.dead_streams.model_copy(update={"action": "remove"})
    removed = change((1, 2), {1: failed(1), 2: working(2, 0.81)}, Rules(policy))
    assert explain(removed, {1: "One"})[-1] == "One leaves place 1: removed, dead: http_404, 2 times in a row."


def test_a_conflict_is_explained() -> None:
    conflict = ChannelChange(channel_id=1, at=NOW, before=(1,), after=(1,), conflict="channel 1 is gone")
    assert explain(conflict, {}) == ["Nothing was changed: channel 1 is gone."]


def test_a_stream_that_comes_back_is_explained() -> None:
    back = Move(stream_id=1, before=None, after=0, why="score 1.000")
    found = ChannelChange(channel_id=1, at=NOW, before=(2,), after=(1, 2), moves=(back,))
    assert explain(found, {1: "One"}) == ["One comes in at place 1: score 1.000."]
