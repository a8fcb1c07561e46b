"""A replay: the orders that a channel would have had on the nights of the stored history. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from streamflow.config import Config
from streamflow.ordering.order import ordered
from streamflow.ordering.rules_of_policy import rules_of
from streamflow.ordering.standing import HISTORY, Standing, standing
from streamflow.policies.policy import Policy
from streamflow.records import Account, DeadMemory, Result, Stream


@dataclass(frozen=True)
class PastChannel:
    """A channel with the stored results of its streams.

    :param stream_ids: the order that the replay begins with.
    :param histories: the results of each stream, newest first.
    """

    stream_ids: tuple[int, ...]
    streams: Mapping[int, Stream]
    histories: Mapping[int, Sequence[Result]]


@dataclass(frozen=True)
class NightFigures:
    """One night of a channel: the streams that changed places, and whether the first stream was dead before."""

    moves: int
    first_dead: bool


def replay(
    channel: PastChannel, settings: Config, policy: Policy, accounts: Mapping[int, Account]
) -> dict[date, NightFigures]:
    """Order a channel after the checks of each night (a day in UTC), as if the policy had applied all the time.

    The first stream of an order counts as watched until the next night: if it is dead then, viewers saw nothing.

    :returns: the figures by night, the oldest first.
    """
    pasts = {stream: _Past.of(channel.histories.get(stream, ())) for stream in channel.stream_ids}
    nights = sorted({day for past in pasts.values() for day in past.days})
    order = channel.stream_ids
    removed: tuple[int, ...] = ()
    memories: dict[int, DeadMemory] = {}
    figures = {}
    for night in nights:
        first_dead = bool(order) and pasts[order[0]].was_dead(night)
        standings: dict[int, Standing] = {}
        for stream, past in pasts.items():
            memory = memories.get(stream, DeadMemory())
            found = standing(past.until(night), memory, accounts, settings.scoring, policy.dead_like or ())
            standings[stream], memories[stream] = found, found.memory
        new = ordered(order, removed, standings, rules_of(policy, settings, channel.streams, standings))
        figures[night] = NightFigures(_moves(order, new.stream_ids), first_dead)
        order = new.stream_ids
        removed = tuple(stream for stream in channel.stream_ids if stream not in order)
    return figures


@dataclass(frozen=True)
class _Past:
    """The results of a stream, oldest first, and their days."""

    results: Sequence[Result]
    days: Sequence[date]

    @classmethod
    def of(cls, history: Sequence[Result]) -> _Past:
        results = history[::-1]
        return cls(results, [result.checked_at.date() for result in results])

    def until(self, night: date) -> Sequence[Result]:
        """Return the newest results up to a night, newest first."""
        end = bisect_right(self.days, night)
        return self.results[max(0, end - HISTORY) : end][::-1]

    def was_dead(self, night: date) -> bool:
        """Return whether the last check of a night found the stream dead."""
        end = bisect_right(self.days, night)
        return end > 0 and self.days[end - 1] == night and self.results[end - 1].verdict == "dead"


def _moves(before: Sequence[int], after: Sequence[int]) -> int:
    """Return the number of streams that changed places, came in or left."""
    places = {stream: place for place, stream in enumerate(before)}
    moved = sum(places.get(stream) != place for place, stream in enumerate(after))
    return moved + sum(stream not in after for stream in before)
