"""Selection of latest results: filters and order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from stream_checker.http.cursors import SortKey, id_key
from stream_checker.queries.name_index import NameIndex
from stream_checker.queries.result_index import ResultIndex
from streamflow.records import Verdict
from streamflow.udi.ports import Store

BEGIN_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)
# A cursor contains the sort key, so names are sorted by their first characters only.
SORTED_CHARACTERS = 100


class Order(StrEnum):
    """Orders of results; ``-`` is descending. Results without a value come last in either direction."""

    ID = "id"
    NAME = "name"
    NAME_DESCENDING = "-name"
    SCORE = "score"
    SCORE_DESCENDING = "-score"
    QUALITY = "quality"
    QUALITY_DESCENDING = "-quality"
    CHECKED_AT = "checked_at"
    CHECKED_AT_DESCENDING = "-checked_at"
    BITRATE = "bitrate"
    BITRATE_DESCENDING = "-bitrate"

    @property
    def descending(self) -> bool:
        """Whether the highest value comes first."""
        return self.startswith("-")

    @property
    def field(self) -> str:
        """The field that is sorted by."""
        return self.removeprefix("-")


@dataclass(frozen=True)
class Filters:
    """Conditions on a stream and its latest result; None sets no condition, and all others must hold.

    :param channel_ids: the streams of any of these channels.
    :param text: part of the stream's name.
    :param stream_ids: these streams.
    """

    channel_ids: tuple[int, ...] | None = None
    account_id: int | None = None
    group_id: int | None = None
    verdict: Verdict | None = None
    reason: str | None = None
    text: str | None = None
    stream_ids: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Selection:
    """The streams with a result that match some filters, and their order.

    Its methods raise UdiUnavailable when the UDI cannot be read.
    """

    store: Store
    name_index: NameIndex
    result_index: ResultIndex
    filters: Filters
    order: Order = Order.ID

    def ids(self) -> set[int]:
        """Return the ids of the streams."""
        store, filters = self.store, self.filters
        ids = set(
            store.results.streams_of_verdict(filters.verdict)
            if filters.verdict
            else store.results.checked_since(BEGIN_OF_TIME)
        )
        if filters.stream_ids is not None:
            ids.intersection_update(filters.stream_ids)
        if filters.channel_ids is not None:
            channels = store.library.channels(filters.channel_ids)
            ids.intersection_update(id for channel in channels for id in channel.stream_ids)
        if filters.account_id is not None:
            ids.intersection_update(store.library.streams_of_account(filters.account_id))
        if filters.group_id is not None:
            ids.intersection_update(store.library.streams_of_group(filters.group_id))
        if filters.text:
            ids.intersection_update(self.name_index.streams(store, filters.text))
        if filters.reason:
            results = self.result_index.current(store)
            ids = {id for id in ids if id in results and results[id].reason == filters.reason}
        return ids

    def key(self) -> Callable[[int], SortKey]:
        """Return the function that gives a stream's sort key."""
        match self.order.field:
            case "id":
                return id_key
            case "name":
                names = self.name_index.stream_names(self.store)
                return self._key_of({id: name[:SORTED_CHARACTERS] for id, name in names.items()}.get)
            case field:
                attribute = "bitrate_kbps" if field == "bitrate" else field
                results = self.result_index.current(self.store)
                return self._key_of(lambda id: getattr(results[id], attribute) if id in results else None)

    def _key_of(self, value_of: Callable[[int], object]) -> Callable[[int], SortKey]:
        descending = self.order.descending

        def key(id: int) -> SortKey:
            value = value_of(id)
            return ((value is None) != descending, value, id)

        return key
