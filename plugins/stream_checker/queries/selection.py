"""Which results a caller asks for, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from fastapi import Query

from stream_checker.http.cursors import Place, by_id
from stream_checker.resources import OpenNameIndex, OpenResultIndex, Udi
from streamflow.records import Verdict

EVER = datetime(1970, 1, 1, tzinfo=UTC)
# So much of a name is sorted by: a place goes into a cursor.
NAME_LENGTH = 100


class Order(StrEnum):
    """``-`` is falling. What has no such value comes last either way."""

    ID = "id"
    NAME = "name"
    NAME_FALLING = "-name"
    SCORE = "score"
    SCORE_FALLING = "-score"
    CHECKED_AT = "checked_at"
    CHECKED_AT_FALLING = "-checked_at"
    BITRATE = "bitrate"
    BITRATE_FALLING = "-bitrate"

    @property
    def falling(self) -> bool:
        return self.startswith("-")

    @property
    def subject(self) -> str:
        return self.removeprefix("-")


class Selection:
    """Streams that have a result, by what is known of them; every filter given must let a stream through."""

    def __init__(
        self,
        store: Udi,
        names: OpenNameIndex,
        standings: OpenResultIndex,
        channel_id: int | None = None,
        account_id: int | None = None,
        group_id: int | None = None,
        status: Annotated[Verdict | None, Query(description="The verdict")] = None,
        reason: Annotated[str | None, Query(max_length=60, examples=["http_404"])] = None,
        q: Annotated[str | None, Query(max_length=200, description="Part of the stream's name")] = None,
        sort: Annotated[Order, Query(description="`-` is falling; what has no such value comes last")] = Order.ID,
    ) -> None:
        self._store = store
        self._names = names
        self._standings = standings
        self._channel_id = channel_id
        self._account_id = account_id
        self._group_id = group_id
        self._status = status
        self._reason = reason
        self._part = q
        self.order = sort

    def ids(self) -> set[int]:
        """The streams, in no order."""
        store = self._store
        chosen = set(
            store.results.streams_of_verdict(self._status) if self._status else store.results.checked_since(EVER)
        )
        if self._channel_id is not None:
            channel = store.library.channel(self._channel_id)
            chosen.intersection_update(channel.stream_ids if channel else ())
        if self._account_id is not None:
            chosen.intersection_update(store.library.streams_of_account(self._account_id))
        if self._group_id is not None:
            chosen.intersection_update(store.library.streams_of_group(self._group_id))
        if self._part:
            chosen.intersection_update(self._names.streams(store, self._part))
        if self._reason:
            known = self._standings.current(store)
            chosen = {id for id in chosen if id in known and known[id].reason == self._reason}
        return chosen

    def place(self) -> Callable[[int], Place]:
        """What gives a stream's place in the order."""
        match self.order.subject:
            case "id":
                return by_id
            case "name":
                names = self._names.of_streams(self._store)
                return self._placed({id: name[:NAME_LENGTH] for id, name in names.items()}.get)
            case subject:
                field = "bitrate_kbps" if subject == "bitrate" else subject
                known = self._standings.current(self._store)
                return self._placed(lambda id: getattr(known[id], field) if id in known else None)

    def _placed(self, value: Callable[[int], object]) -> Callable[[int], Place]:
        falling = self.order.falling

        def place(id: int) -> Place:
            known = value(id)
            return ((known is None) != falling, known, id)

        return place
