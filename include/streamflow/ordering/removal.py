"""The bound on the streams that one run removes from their channels."""

from __future__ import annotations

from collections.abc import Collection

from streamflow.records import ChannelChange


def exceeds(changes: Collection[ChannelChange], most_share: float) -> bool:
    """Return whether a run would remove too many streams, or the last stream of a channel.

    Many dead streams at once are more often an outage of the provider, or of the own line, than dead streams. A run
    may always remove one stream, so that a check of a single small channel works too.

    :param changes: the changes of all the run's channels, with the streams held back.
    :param most_share: the largest share of these channels' streams that may be removed; 0 for none at all.
    """
    assigned = sum(len(change.after) for change in changes)
    held = sum(len(change.held) for change in changes)
    empties_a_channel = any(change.held and len(change.held) >= len(change.after) for change in changes)
    return empties_a_channel or held > max(most_share * assigned, 1 if most_share else 0)
