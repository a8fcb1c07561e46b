"""The explanation of a new order: which streams moved, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamflow.ordering.standing import Standing
from streamflow.records import ChannelChange, Move


def moves(before: Sequence[int], after: Sequence[int], standings: Mapping[int, Standing]) -> tuple[Move, ...]:
    """Return the streams that changed places, in the new order; removed streams come last."""
    places = {stream: place for place, stream in enumerate(before)}
    moved = [
        Move(stream_id=stream, before=places.get(stream), after=place, why=standings[stream].summary)
        for place, stream in enumerate(after)
        if places.get(stream) != place
    ]
    removed = [
        Move(stream_id=stream, before=places[stream], after=None, why=f"removed, {standings[stream].summary}")
        for stream in before
        if stream not in after
    ]
    return (*moved, *removed)


def explain(change: ChannelChange, names: Mapping[int, str]) -> list[str]:
    """Return one sentence for each move.

    :param names: the streams' names by id.
    """
    if change.conflict:
        return [f"Nothing was changed: {change.conflict}."]
    if not change.moves:
        return ["The order was right already."]
    return [_sentence(move, names.get(move.stream_id) or f"stream {move.stream_id}") for move in change.moves]


def _sentence(move: Move, name: str) -> str:
    match move.before, move.after:
        case None, int(after):
            return f"{name} comes in at place {after + 1}: {move.why}."
        case int(before), None:
            return f"{name} leaves place {before + 1}: {move.why}."
        case int(before), int(after):
            way = "up" if after < before else "down"
            return f"{name} goes {way} from place {before + 1} to {after + 1}: {move.why}."
        case _:
            return f"{name} stays out: {move.why}."
