"""The change of a channel's order beside people who edit it at the same time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from streamflow.errors import SourceConflict
from streamflow.sources.source import Destination

log = logging.getLogger(__name__)

# A concurrent edit by a user wins; after this many conflicts the channel stays unchanged.
CONFLICT_TRIES = 3

T = TypeVar("T")


def rewrite_order(
    destination: Destination,
    channel_id: int,
    arrange: Callable[[tuple[int, ...]], T],
    order_of: Callable[[T], tuple[int, ...]],
) -> T:
    """Write the new order of a channel, and arrange the channel again after a concurrent edit.

    :param arrange: returns an arrangement of the channel from its present order.
    :param order_of: returns the order of an arrangement.
    :returns: the arrangement that the channel has now.
    :raises SourceConflict: the channel was edited during each try.
    :raises UnknownRecord: the channel does not exist any more.
    """
    tries = 0
    while True:
        before = destination.order(channel_id)
        new = arrange(before)
        try:
            if order_of(new) != before:
                destination.write_order(channel_id, before, order_of(new))
        except SourceConflict as conflict:
            tries += 1
            if tries == CONFLICT_TRIES:
                raise
            log.info("channel %s: %s; its order is planned again", channel_id, conflict)
        else:
            return new
