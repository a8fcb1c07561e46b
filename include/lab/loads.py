"""Libraries for measuring whole runs: equal streams without faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lab.demo import demo
from lab.library import Account, Behaviour, Channel, Group, Library, Stream

CHANNEL_STREAMS = 10


def equal(accounts: Sequence[int], streams: int, *, behaviour: Behaviour | None = None) -> Library:
    """Return a library of equal small streams, spread evenly over accounts, ten in each channel.

    :param accounts: the ``max_streams`` of each account.
    :param streams: the number of streams.
    :param behaviour: the behaviour of every stream.
    """
    known = [
        Account(i, f"Account {i}", f"load-{i}", f"load-word-{i}", max_streams=limit, refusal="458")
        for i, limit in enumerate(accounts, 1)
    ]
    listed = [
        Stream(i, f"Load {i}", 1 + i % len(known), clip="sd480p30", behaviour=behaviour or Behaviour(), group_id=1)
        for i in range(1, streams + 1)
    ]
    ids = [stream.id for stream in listed]
    channels = [
        Channel(n, float(n), f"Load {n}", 1, tuple(ids[start : start + CHANNEL_STREAMS]))
        for n, start in enumerate(range(0, len(ids), CHANNEL_STREAMS), 1)
    ]
    return Library(known, listed, channels, [Group(1, "Load")])


def with_dead(accounts: Sequence[int], streams: int) -> Library:
    """Return a library like :func:`equal`, three of each ten streams of an account dead in the usual ways."""
    library = equal(accounts, streams)
    dead = (Behaviour("status", status=404), Behaviour("status", status=500), Behaviour("never"))
    listed = []
    for stream in library.streams:
        place = stream.id // len(accounts) % 10
        listed.append(replace(stream, behaviour=dead[place]) if place < len(dead) else stream)
    return replace(library, streams=listed)


# The libraries by the names of the option ``--library``.
LIBRARIES: dict[str, Callable[[], Library]] = {
    "demo": demo,
    "few": lambda: equal([1, 2, 0], 24),
    "ten": lambda: equal([0], 10),
    "makespan": lambda: equal([1, 2, 5, 0], 200),
    "fleet": lambda: equal([3, 5, 8, 0], 300),
    "gone": lambda: equal([0], 1000, behaviour=Behaviour("status", status=404)),
    "night": lambda: with_dead([1, 2, 5], 30),
    "many": lambda: equal([0], 10_000, behaviour=Behaviour("status", status=404)),
}
