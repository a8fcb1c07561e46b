"""The order of a channel's streams, best first. Pure: standings and rules in, order out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from streamflow.config import DeadStreams
from streamflow.ordering import dead_streams
from streamflow.ordering.standing import Standing


@dataclass(frozen=True)
class Order:
    """The streams of a channel, best first, and those that leave it."""

    stream_ids: tuple[int, ...]
    removed: tuple[int, ...] = ()


def ordered(
    before: Sequence[int], removed: Iterable[int], standings: Mapping[int, Standing], policy: DeadStreams
) -> Order:
    """Return the new order of a channel. Streams with equal scores keep their order.

    :param before: the channel's streams in their present order.
    :param removed: streams that the policy removed earlier; those that work again come back.
    """
    members = [*before, *dead_streams.revived(removed, standings)]
    leaving = dead_streams.removals(members, standings, policy)
    fixed = {place: i for place, i in enumerate(before) if dead_streams.keeps_place(standings[i], policy)}
    movable = [i for i in members if i not in leaving and i not in fixed.values()]
    ranked = sorted(movable, key=lambda i: -(standings[i].score or 0.0))
    return Order(_merged(fixed, ranked), leaving)


def _merged(fixed: Mapping[int, int], ranked: Sequence[int]) -> tuple[int, ...]:
    """Return the ranked streams with the fixed ones inserted at their places."""
    order = list(ranked)
    for place in sorted(fixed):
        order.insert(place, fixed[place])
    return tuple(order)
