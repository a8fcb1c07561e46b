"""A destination in memory whose channels may get any stream and may be hidden."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamflow.errors import SourceConflict, UnknownRecord
from streamflow.records import Result
from streamflow.udi.snapshot import Snapshot


class EditedChannels:
    """Implements :class:`~streamflow.sources.ChannelEditor`. ``edits`` are made just before the next writes."""

    def __init__(self, orders: dict[int, tuple[int, ...]]) -> None:
        self.orders = orders
        self.hidden: dict[int, bool] = {}
        self.results: dict[int, Result] = {}
        self.writes = 0
        self.edits: list[tuple[int, ...]] = []

    def arranged(self, snapshot: Snapshot) -> Snapshot:
        return snapshot

    def order(self, channel_id: int) -> tuple[int, ...]:
        if channel_id not in self.orders:
            raise UnknownRecord(f"no channel {channel_id}")
        return self.orders[channel_id]

    def write_order(self, channel_id: int, before: Sequence[int], after: Sequence[int]) -> None:
        if self.edits:
            self.orders[channel_id] = self.edits.pop()
        if self.order(channel_id) != tuple(before):
            raise SourceConflict(f"channel {channel_id} was changed")
        self.orders[channel_id] = tuple(after)
        self.writes += 1

    def hide(self, channel_id: int, hidden: bool) -> None:
        self.order(channel_id)
        self.hidden[channel_id] = hidden

    def write_results(self, channel_id: int, results: Iterable[Result]) -> None:
        self.results.update({each.stream_id: each for each in results})
