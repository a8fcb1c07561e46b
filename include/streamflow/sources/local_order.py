"""The order of channels whose source keeps none: the UDI keeps it, across every refresh of the library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from streamflow.errors import SourceConflict, UnknownRecord
from streamflow.records import Channel, Result
from streamflow.udi.ports import Store
from streamflow.udi.snapshot import Records, Snapshot


@dataclass(frozen=True)
class LocalOrder:
    """A destination (see :class:`streamflow.sources.source.Destination`) in the UDI itself."""

    store: Store

    def arranged(self, snapshot: Snapshot) -> Snapshot:
        """Return the library in the UDI's orders.

        New streams come last in their channel. Streams that the dead-stream policy removed stay out.
        """
        channels = {channel.id: channel for channel in self.store.library.channels()}
        removed = self.store.results.removed_of_channels(channels)
        ordered = (
            _in_order(channel, channels.get(channel.id), removed.get(channel.id, {})) for channel in snapshot.channels
        )
        return replace(snapshot, channels=Records(Channel, ordered))

    def order(self, channel_id: int) -> tuple[int, ...]:
        """Return the ids of the channel's streams, best first.

        :raises UnknownRecord: the UDI does not hold the channel any more.
        """
        channel = self.store.library.channel(channel_id)
        if channel is None:
            raise UnknownRecord(f"the UDI does not hold channel {channel_id} any more")
        return channel.stream_ids

    def write_order(self, channel_id: int, before: Sequence[int], after: Sequence[int]) -> None:
        """Replace the order ``before``.

        :raises SourceConflict: the order is not ``before`` any more; nothing was written.
        """
        if self.order(channel_id) != tuple(before):
            raise SourceConflict(f"channel {channel_id} was changed while it was finished")
        self.store.library.reorder(channel_id, after)

    def write_results(self, channel_id: int, results: Iterable[Result]) -> None:
        """Do nothing: the UDI holds the results already."""


def _in_order(listed: Channel, former: Channel | None, removed: Mapping[int, int]) -> Channel:
    if former is None:
        return listed
    ids = set(listed.stream_ids)
    order = [i for i in former.stream_ids if i in ids]
    new_ids = ids - set(order) - removed.keys()
    return listed.model_copy(update={"stream_ids": (*order, *(i for i in listed.stream_ids if i in new_ids))})
