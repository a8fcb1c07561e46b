"""Streams of a channel that show the same feed, and those that show something else, by the pictures of one round.

Only told, never acted on: streams that were sampled at other times show other pictures, so nothing is said about them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

# Two samples are compared when they began within this time of each other. Providers' delays differ by as much.
SAME_TIME = timedelta(seconds=60)
# Bits in which the fingerprints of two pictures of one feed differ at most: another encoding changes a few. Those of
# unrelated pictures differ in 32 of 64 bits on average, with a standard deviation of 4.
SAME_BITS = 8
# Bits in which all pictures of a stream differ at least from all pictures of a feed that it does not show.
OTHER_BITS = 18
# Pairs of equal pictures that are no chance.
LEAST_PAIRS = 2


@dataclass(frozen=True)
class Sampled:
    """The fingerprints of the pictures of a stream's last sample.

    :param at: the start of the sample.
    """

    at: datetime
    prints: tuple[int, ...]


@dataclass(frozen=True)
class Feeds:
    """The outcome of a comparison.

    :param same: groups of streams that show the same feed.
    :param other: streams that show something else than a feed that at least two others show at the same time.
    """

    same: tuple[tuple[int, ...], ...] = ()
    other: tuple[int, ...] = ()


def compare(samples: Mapping[int, Sampled]) -> Feeds:
    """Compare the pictures of a channel's streams.

    :param samples: the samples by stream, in the channel's order.
    """
    groups: list[list[int]] = []
    for stream, sample in samples.items():
        near = [group for group in groups if any(_is_same(sample, samples[one]) for one in group)]
        merged = [*(one for group in near for one in group), stream]
        groups = [*(group for group in groups if group not in near), merged]
    order = {stream: place for place, stream in enumerate(samples)}
    same = [tuple(sorted(group, key=order.__getitem__)) for group in groups if len(group) > 1]
    alone = [group[0] for group in groups if len(group) == 1]
    other = [
        stream
        for stream in alone
        if any(sum(_is_other(samples[stream], samples[one]) for one in feed) > 1 for feed in same)
    ]
    return Feeds(tuple(sorted(same, key=lambda group: order[group[0]])), tuple(other))


def _is_same(one: Sampled, other: Sampled) -> bool:
    if abs(one.at - other.at) > SAME_TIME:
        return False
    rest, pairs = list(other.prints), 0
    for bits in one.prints:
        match = next((each for each in rest if (bits ^ each).bit_count() <= SAME_BITS), None)
        if match is not None:
            rest.remove(match)
            pairs += 1
    return pairs >= LEAST_PAIRS


def _is_other(one: Sampled, other: Sampled) -> bool:
    return (
        abs(one.at - other.at) <= SAME_TIME
        and min(len(one.prints), len(other.prints)) >= LEAST_PAIRS
        and all((bits ^ each).bit_count() >= OTHER_BITS for bits in one.prints for each in other.prints)
    )
