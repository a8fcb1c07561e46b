"""The policy for dead streams: which leave the channel, which keep their place, and which come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from streamflow.config import DeadStreams
from streamflow.ordering.standing import Standing


def removals(
    candidates: Sequence[int], members: int, standings: Mapping[int, Standing], policy: DeadStreams
) -> tuple[int, ...]:
    """Return the dead streams that leave the channel, the last one first.

    :param candidates: the streams that may leave, in order.
    :param members: the number of the channel's streams, of which ``keep_at_least`` stay.
    """
    if policy.action != "remove":
        return ()
    failed = [i for i in reversed(candidates) if standings[i].is_dead and has_failed_enough(standings[i], policy)]
    return tuple(failed[: max(0, members - policy.keep_at_least)])


def has_failed_enough(standing: Standing, policy: DeadStreams) -> bool:
    """Return whether a dead stream was dead at enough checks in a row for the policy to act."""
    return standing.memory.failures >= policy.after_failures


def is_on_probation(standing: Standing, policy: DeadStreams) -> bool:
    """Return whether a dead stream worked before and has not failed often enough to be moved last.

    One night of an outage would otherwise reorder the channel twice.
    """
    was_alive = standing.memory.last_alive is not None
    return standing.is_dead and policy.action != "none" and was_alive and not has_failed_enough(standing, policy)


def keeps_place(standing: Standing, policy: DeadStreams) -> bool:
    """Return whether a stream is not ordered by its score: it is undecided, on probation, or left in place if dead."""
    return (
        standing.result is None or (standing.is_dead and policy.action == "none") or is_on_probation(standing, policy)
    )


def revived(removed: Iterable[int], standings: Mapping[int, Standing]) -> list[int]:
    """Return those of the streams removed earlier that work again."""
    return [i for i in removed if standings[i].is_working]
