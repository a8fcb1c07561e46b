"""The order of a channel's streams, best first. Pure: standings and rules in, order out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, zip_longest

from streamflow.config import DeadStreams
from streamflow.ordering import dead_streams
from streamflow.ordering.standing import Standing
from streamflow.policies.ranking import Rank


@dataclass(frozen=True)
class Rules:
    """The rules of a channel's order.

    :param switch_margin: two working streams of the same bands change places only when their points differ by more.
    :param pinned: streams that keep their place and are never removed.
    :param may_remove: False to hold back the removal of streams.
    :param reorder: False to keep the order; removed streams leave, and those that come back come last.
    :param ranks: the ranks of working streams by the channel's policy; without one, the score decides.
    :param turns: the account's key of each stream, where accounts take turns.
    :param unfit: streams that leave the channel because of the policy's limits, with the reason.
    :param max_streams: the most streams that the channel keeps.
    """

    dead_streams: DeadStreams = field(default_factory=DeadStreams)
    switch_margin: float = 0.0
    pinned: frozenset[int] = frozenset()
    may_remove: bool = True
    reorder: bool = True
    ranks: Mapping[int, Rank] = field(default_factory=dict)
    turns: Mapping[int, int] = field(default_factory=dict)
    unfit: Mapping[int, str] = field(default_factory=dict)
    max_streams: int | None = None

    def rank(self, stream: int, standing: Standing) -> Rank:
        """Return the rank of a working stream."""
        return self.ranks.get(stream) or Rank((), standing.score or 0.0)


@dataclass(frozen=True)
class Order:
    """The streams of a channel, best first, those that leave it, and those that would leave it but are held back."""

    stream_ids: tuple[int, ...]
    removed: tuple[int, ...] = ()
    held: tuple[int, ...] = ()


def ordered(before: Sequence[int], removed: Iterable[int], standings: Mapping[int, Standing], rules: Rules) -> Order:
    """Return the new order of a channel.

    Working streams are ordered by their ranks. Streams that failed too often come last. A stream that failed only just
    now keeps its place, unless it is the first: then it changes places with the best working stream. Ordering the
    result again changes nothing.

    :param before: the channel's streams in their present order.
    :param removed: streams that the policy removed earlier; those that work again come back.
    """
    returning = [i for i in dead_streams.revived(removed, standings) if i not in rules.unfit]
    members = [*before, *returning]
    leaving = _leaving(members, standings, rules)
    staying = [i for i in members if i not in leaving] if rules.may_remove else members
    order = _arranged(before, staying, standings, rules) if rules.reorder else staying
    surplus = _surplus([i for i in order if i not in leaving], standings, rules)
    # A stream that came back is surplus at once: it stays out, also while removals are held back.
    order = [i for i in order if i not in surplus or (i in before and not rules.may_remove)]
    gone = tuple(i for i in (*leaving, *surplus) if i in before)
    return Order(tuple(order), gone if rules.may_remove else (), () if rules.may_remove else gone)


def _leaving(members: Sequence[int], standings: Mapping[int, Standing], rules: Rules) -> tuple[int, ...]:
    """Return the streams that leave because they are dead or beyond the limits, the last one of each kind first."""
    removable = [i for i in members if i not in rules.pinned]
    failed = dead_streams.removals(removable, len(members), standings, rules.dead_streams)
    unfit = [i for i in reversed(removable) if i in rules.unfit and i not in failed]
    return (*failed, *unfit)[: max(0, len(members) - rules.dead_streams.keep_at_least)]


def _surplus(order: Sequence[int], standings: Mapping[int, Standing], rules: Rules) -> tuple[int, ...]:
    """Return the streams beyond the most that the channel keeps, the last one first; undecided ones stay."""
    if rules.max_streams is None:
        return ()
    kept = max(rules.max_streams, rules.dead_streams.keep_at_least)
    removable = [
        i
        for i in reversed(order)
        if i not in rules.pinned and not dead_streams.keeps_place(standings[i], rules.dead_streams)
    ]
    return tuple(removable[: max(0, len(order) - kept)])


def _arranged(
    before: Sequence[int], staying: Sequence[int], standings: Mapping[int, Standing], rules: Rules
) -> list[int]:
    policy = rules.dead_streams
    fixed = {
        place: i
        for place, i in enumerate(before)
        if i in staying and (i in rules.pinned or dead_streams.keeps_place(standings[i], policy))
    }
    movable = [i for i in staying if i not in fixed.values()]
    working = [i for i in movable if standings[i].is_working]
    dead = [i for i in movable if standings[i].is_dead]
    order = [*_best_first(working, standings, rules), *dead]
    for place in sorted(fixed):
        order.insert(place, fixed[place])
    return _led_by_working(order, standings, rules)


def _best_first(working: Sequence[int], standings: Mapping[int, Standing], rules: Rules) -> list[int]:
    """Return the streams band by band, in each by points; where accounts take turns, one of each after the other."""
    ranks = {i: rules.rank(i, standings[i]) for i in working}
    order: list[int] = []
    for _, band in groupby(sorted(working, key=lambda i: ranks[i].bands, reverse=True), key=lambda i: ranks[i].bands):
        streams = list(band)
        order += _in_turns(streams, ranks, rules) if rules.turns else _by_points(streams, ranks, rules.switch_margin)
    return order


def _in_turns(streams: Sequence[int], ranks: Mapping[int, Rank], rules: Rules) -> list[int]:
    """Return a stream of each account in turn. Listed accounts come first, the others by their best stream."""
    queues: dict[int, list[int]] = {}
    for stream in streams:
        queues.setdefault(rules.turns[stream], []).append(stream)
    queues = {key: _by_points(queue, ranks, rules.switch_margin) for key, queue in queues.items()}
    listed = [queues[key] for key in sorted(queues) if key < 0]
    leaders = {queue[0]: queue for key, queue in queues.items() if key >= 0}
    others = [leaders[i] for i in _by_points([i for i in streams if i in leaders], ranks, rules.switch_margin)]
    return [i for turn in zip_longest(*listed, *others) for i in turn if i is not None]


def _by_points(working: Sequence[int], ranks: Mapping[int, Rank], margin: float) -> list[int]:
    """Return the streams best first: each one moves ahead of the first stream that it beats by more than the margin.

    The streams behind that one have fewer points than the moved stream: a better one would have moved ahead before.
    """
    order: list[int] = []
    for stream in working:
        place = next((p for p, other in enumerate(order) if beats(ranks[stream], ranks[other], margin)), None)
        order.insert(len(order) if place is None else place, stream)
    return order


def beats(one: Rank, other: Rank, margin: float) -> bool:
    """Return whether a rank is above another: by a band, or in the same bands by more points than the margin."""
    if one.bands != other.bands:
        return one.bands > other.bands
    return round(one.points - other.points, 4) > margin


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
