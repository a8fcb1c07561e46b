"""The explanation of a new order."""

from __future__ import annotations

from streamflow.ordering.moves import explain, moves
from streamflow.ordering.standing import Standing
from streamflow.records import ChannelChange, DeadMemory, Move
from support.library import NOW, result

STANDINGS = {
    1: Standing(result(1, "dead", reason="http_404"), 0.0, DeadMemory(failures=1)),
    2: Standing(result(2), 0.62, DeadMemory()),
    3: Standing(result(3), 0.81, DeadMemory()),
}


def change(before: tuple[int, ...], after: tuple[int, ...]) -> ChannelChange:
    return ChannelChange(channel_id=1, at=NOW, before=before, after=after, moves=moves(before, after, STANDINGS))


def test_every_move_is_a_sentence_with_its_reason() -> None:
    assert explain(change((1, 2, 3), (3, 2)), {1: "One", 2: "Two"}) == [
        "stream 3 goes up from place 3 to 1: score 0.81.",
        "One leaves place 1: removed, dead: http_404.",
    ]
    assert explain(change((3, 2), (2, 3)), {})[1] == "stream 3 goes down from place 1 to 2: score 0.81."


def test_a_change_without_moves_and_a_conflict_are_explained() -> None:
    unchanged = change((1,), (1,))
    assert explain(unchanged, {}) == ["The order was right already."]
    assert explain(unchanged.model_copy(update={"conflict": "channel 1 is gone"}), {}) == [
        "Nothing was changed: channel 1 is gone."
    ]


def test_a_stream_that_comes_back_is_explained() -> None:
    back = Move(stream_id=1, before=None, after=0, why="score 1.00")
    assert explain(change((2,), (2,)).model_copy(update={"moves": (back,)}), {1: "One"}) == [
        "One comes in at place 1: score 1.00."
    ]
