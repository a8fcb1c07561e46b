"""Orders of channels whose source keeps none: a run's order stays in the UDI, over what the source lists anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from streamflow.errors import SourceConflict, UnknownRecord
from streamflow.records import Channel
from streamflow.udi.library import Records, Snapshot
from streamflow.udi.ports import Store


@dataclass(frozen=True)
class KeptOrder:
    """A target of finished channels (see ``streamflow.ordering.finish``) in the UDI itself."""

    store: Store

    def order(self, channel_id: int) -> tuple[int, ...]:
        channel = self.store.channel(channel_id)
        if channel is None:
            raise UnknownRecord(f"channel {channel_id} is not in the UDI any more")
        return channel.stream_ids

    def write_order(self, channel_id: int, before: Sequence[int], after: Sequence[int]) -> None:
        if self.order(channel_id) != tuple(before):
            raise SourceConflict(f"channel {channel_id} was changed while it was finished")
        self.store.reorder(channel_id, after)

    def write_stats(self, channel_id: int, stats: Mapping[int, Mapping[str, Any]], at: Mapping[int, datetime]) -> None:
        """The results in the UDI have them."""


def laid_over(snapshot: Snapshot, store: Store) -> Snapshot:
    """The snapshot in the store's orders: what is new comes last in its channel, what the policy took out stays out."""
    known = {channel.id: channel for channel in store.channels()}
    removed = store.removed_of_channels(known)
    ordered = (_in_order(channel, known.get(channel.id), removed.get(channel.id, {})) for channel in snapshot.channels)
    return replace(snapshot, channels=Records(Channel, ordered))


def _in_order(channel: Channel, known: Channel | None, removed: Mapping[int, int]) -> Channel:
    if known is None:
        return channel
    listed = set(channel.stream_ids)
    order = [i for i in known.stream_ids if i in listed]
    new = listed - set(order) - removed.keys()
    return channel.model_copy(update={"stream_ids": (*order, *(i for i in channel.stream_ids if i in new))})
