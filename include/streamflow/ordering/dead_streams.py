"""The policy for dead streams: which leave the channel, which stay in place, and which come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from streamflow.config import DeadStreams
from streamflow.ordering.standing import Standing


def removals(members: Sequence[int], standings: Mapping[int, Standing], policy: DeadStreams) -> tuple[int, ...]:
    """Return the dead streams that leave the channel, the last one first.

    The channel keeps at least ``keep_at_least`` streams.

    :param members: the channel's streams in order.
    """
    if policy.action != "remove":
        return ()
    failed = [i for i in reversed(members) if is_failed(standings[i], policy)]
    return tuple(failed[: max(0, len(members) - policy.keep_at_least)])


def is_failed(standing: Standing, policy: DeadStreams) -> bool:
    """Return whether the stream was dead at enough checks in a row."""
    return standing.is_dead and standing.memory.failures >= policy.after_failures


def keeps_place(standing: Standing, policy: DeadStreams) -> bool:
    """Return whether a stream is not ordered at all: it is undecided, or dead and the policy leaves it in place."""
    return standing.result is None or (standing.is_dead and policy.action == "none")


def revived(removed: Iterable[int], standings: Mapping[int, Standing]) -> list[int]:
    """Return those of the streams removed earlier that work again."""
    return [i for i in removed if standings[i].score]
