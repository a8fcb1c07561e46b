"""Dispatcharr's channels as the destination of orders and measurements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from streamflow.errors import SourceConflict, SourceRefused, SourceUnavailable, UnknownRecord
from streamflow.records import Result
from streamflow.sources.dispatcharr.session import Session, retrying
from streamflow.sources.dispatcharr.stream_stats import stream_stats
from streamflow.udi.snapshot import Snapshot


class Channels:
    """Reads and writes the streams of channels. See :class:`streamflow.sources.source.ChannelEditor`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def arranged(self, snapshot: Snapshot) -> Snapshot:
        """Return the library unchanged: Dispatcharr lists channels in the order that it keeps."""
        return snapshot

    def order(self, channel_id: int) -> tuple[int, ...]:
        """Return the ids of the channel's streams, best first.

        :raises UnknownRecord: Dispatcharr does not have the channel any more.
        """
        return _order_of(self._session.record(f"/api/channels/channels/{channel_id}/"))

    def write_order(self, channel_id: int, before: Sequence[int], after: Sequence[int]) -> None:
        """Replace the order ``before``.

        Dispatcharr does not guard against concurrent edits, and the reply to a write may be lost. So the order is read
        and compared again before each try.

        :raises SourceConflict: the order is not ``before`` any more, or a stream does not exist any more.
        """
        retrying(lambda: self._replace(channel_id, tuple(before), tuple(after)))

    def _replace(self, channel_id: int, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        path = f"/api/channels/channels/{channel_id}/"
        now = _order_of(self._session.call_once("GET", path))
        if now == after:
            return
        if now != before:
            raise SourceConflict(f"channel {channel_id} was changed while it was finished")
        try:
            self._session.call_once("PATCH", path, body={"streams": list(after)})
        except SourceRefused as refused:
            if "Invalid pk" in str(refused):
                raise SourceConflict(f"a stream of channel {channel_id} does not exist any more") from refused
            raise

    def hide(self, channel_id: int, hidden: bool) -> None:
        """Leave a channel out of every output, or put it back."""
        self._session.call("PATCH", f"/api/channels/channels/{channel_id}/", body={"hidden_from_output": hidden})

    def write_results(self, channel_id: int, results: Iterable[Result]) -> None:
        """Merge measurements into the statistics of the channel's streams.

        Keys of other writers stay, and unchanged statistics are not written. A stream that does not exist any more is
        left out.
        """
        by_stream = {result.stream_id: result for result in results}
        if not by_stream:
            return
        for stream in self._session.records(f"/api/channels/channels/{channel_id}/streams/"):
            result, former = by_stream.get(stream["id"]), stream.get("stream_stats") or {}
            merged = former | stream_stats(result) if result else former
            if result and merged != former:
                body = {"stream_stats": merged, "stream_stats_updated_at": result.checked_at.isoformat()}
                with suppress(UnknownRecord):
                    self._session.call("PATCH", f"/api/channels/streams/{stream['id']}/", body=body)


def _order_of(channel: Any) -> tuple[int, ...]:
    if not isinstance(channel, dict) or not isinstance(channel.get("streams"), list):
        raise SourceUnavailable("the reply for a channel lists no streams")
    return tuple(channel["streams"])
