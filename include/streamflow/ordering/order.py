"""The order of a channel's streams, best first. Pure: standings and rules in, order out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streamflow.config import DeadStreams
from streamflow.ordering import dead_streams
from streamflow.ordering.standing import Standing


@dataclass(frozen=True)
class Rules:
    """The rules of a channel's order.

    :param switch_margin: two working streams change places only when their scores differ by more.
    :param pinned: streams that keep their place and are never removed.
    :param may_remove: False to hold back the removal of dead streams.
    """

    dead_streams: DeadStreams = field(default_factory=DeadStreams)
    switch_margin: float = 0.0
    pinned: frozenset[int] = frozenset()
    may_remove: bool = True


@dataclass(frozen=True)
class Order:
    """The streams of a channel, best first, those that leave it, and those that would leave it but are held back."""

    stream_ids: tuple[int, ...]
    removed: tuple[int, ...] = ()
    held: tuple[int, ...] = ()


def ordered(before: Sequence[int], removed: Iterable[int], standings: Mapping[int, Standing], rules: Rules) -> Order:
    """Return the new order of a channel.

    Working streams are ordered by their scores. Streams that failed too often come last. A stream that failed only just
    now keeps its place, unless it is the first: then it changes places with the best working stream. Ordering the
    result again changes nothing.

    :param before: the channel's streams in their present order.
    :param removed: streams that the policy removed earlier; those that work again come back.
    """
    policy = rules.dead_streams
    members = [*before, *dead_streams.revived(removed, standings)]
    removable = [i for i in members if i not in rules.pinned]
    failed = dead_streams.removals(removable, len(members), standings, policy)
    removed_now = failed if rules.may_remove else ()
    fixed = {
        place: i
        for place, i in enumerate(before)
        if i in rules.pinned or dead_streams.keeps_place(standings[i], policy)
    }
    movable = [i for i in members if i not in removed_now and i not in fixed.values()]
    working = [i for i in movable if standings[i].is_working]
    dead = [i for i in movable if standings[i].is_dead]
    order = [*_by_score(working, standings, rules.switch_margin), *dead]
    for place in sorted(fixed):
        order.insert(place, fixed[place])
    held = () if rules.may_remove else failed
    return Order(tuple(_led_by_working(order, standings, rules)), removed_now, held)


def _by_score(working: Sequence[int], standings: Mapping[int, Standing], margin: float) -> list[int]:
    """Return the streams best first: each one moves ahead of the first stream that it beats by more than the margin.

    The streams behind that one have lower scores than the moved stream: a better one would have moved ahead before.
    """
    order: list[int] = []
    for stream in working:
        place = next((p for p, other in enumerate(order) if beats(standings[stream], standings[other], margin)), None)
        order.insert(len(order) if place is None else place, stream)
    return order


def beats(one: Standing, other: Standing, margin: float) -> bool:
    """Return whether the score of a stream is above that of another by more than the margin."""
    return round((one.score or 0.0) - (other.score or 0.0), 4) > margin


def _led_by_working(order: list[int], standings: Mapping[int, Standing], rules: Rules) -> list[int]:
    """Let the best working stream change places with a first stream that failed just now."""
    first = order[0] if order else None
    if first is None or first in rules.pinned or not dead_streams.is_on_probation(standings[first], rules.dead_streams):
        return order
    for place, stream in enumerate(order):
        if standings[stream].is_working and stream not in rules.pinned:
            order[0], order[place] = stream, first
            break
    return order
