"""The selection of a run: the channels and streams that pass its filters."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from streamflow.errors import UnknownRecord
from streamflow.lineup.dark_channels import was_hidden_by_streamflow
from streamflow.planning.params import CheckParams
from streamflow.records import Channel
from streamflow.udi.ports import Library, Store


@dataclass(frozen=True)
class Selection:
    """Channels in the order of their numbers, and their streams that pass the filters.

    ``streams`` maps each channel to these, best first; last come those that the dead-stream policy removed.
    ``channelless`` holds streams that were named and belong to no channel.
    """

    channels: tuple[Channel, ...] = ()
    streams: dict[int, tuple[int, ...]] = field(default_factory=dict)
    channelless: tuple[int, ...] = ()

    @property
    def batches(self) -> list[tuple[int, ...]]:
        """Return the streams of each channel, and each other stream for itself."""
        return [*self.streams.values(), *((stream,) for stream in self.channelless)]

    @property
    def stream_ids(self) -> list[int]:
        """Return all streams, each once."""
        return list(dict.fromkeys(stream for batch in self.batches for stream in batch))


def select(store: Store, params: CheckParams) -> Selection:
    """Return the channels and streams that pass all filters.

    :raises UnknownRecord: for an id that the UDI does not hold.
    """
    _check_ids(store.library, params)
    if params.selects_nothing:
        return Selection()
    channels = _channels(store, params)
    removed = store.results.removed_of_channels([channel.id for channel in channels])
    passing = _passing_streams(store.library, params)
    streams = {
        channel.id: tuple(
            stream
            for stream in dict.fromkeys([*channel.stream_ids, *removed.get(channel.id, ())])
            if passing is None or stream in passing
        )
        for channel in channels
    }
    return Selection(tuple(channels), streams, _channelless(params, passing, streams.values()))


def _channels(store: Store, params: CheckParams) -> list[Channel]:
    """Return the channels that pass the filters of channels and groups, and hold a named stream.

    A channel that a person has hidden is among them only when it is named, or one of its streams.
    """
    library = store.library
    channels = library.channels(params.channel_ids)
    if params.channel_ids is None and params.stream_ids is None:
        channels = [one for one in channels if not one.is_hidden or was_hidden_by_streamflow(store, one.id)]
    if params.group_ids is not None:
        channels = [channel for channel in channels if channel.group_id in params.group_ids]
    if params.stream_ids is not None:
        holding = {channel for stream in params.stream_ids for channel in library.channels_of_stream(stream)}
        channels = [channel for channel in channels if channel.id in holding]
    return sorted(channels, key=lambda channel: (channel.number is None, channel.number or 0, channel.id))


def _passing_streams(library: Library, params: CheckParams) -> set[int] | None:
    """Return the streams that pass the filters of streams and accounts; None where there are no such filters."""
    if params.account_ids is None:
        return None if params.stream_ids is None else set(params.stream_ids)
    of_accounts = {stream for account in params.account_ids for stream in library.streams_of_account(account)}
    return of_accounts if params.stream_ids is None else of_accounts.intersection(params.stream_ids)


def _channelless(
    params: CheckParams, passing: set[int] | None, of_channels: Iterable[Iterable[int]]
) -> tuple[int, ...]:
    """Return the named streams that belong to none of the channels, unless the channels are filtered too."""
    if params.stream_ids is None or passing is None or params.channel_ids is not None or params.group_ids is not None:
        return ()
    placed = {stream for streams in of_channels for stream in streams}
    return tuple(stream for stream in dict.fromkeys(params.stream_ids) if stream in passing and stream not in placed)


def _check_ids(library: Library, params: CheckParams) -> None:
    if ids := params.channel_ids:
        _must_hold("channel_ids", ids, {channel.id for channel in library.channels(ids)})
    if ids := params.group_ids:
        _must_hold("group_ids", ids, {group.id for group in library.groups()})
    if ids := params.account_ids:
        _must_hold("account_ids", ids, {account.id for account in library.accounts()})
    if ids := params.stream_ids:
        _must_hold("stream_ids", ids, library.streams(ids).keys())


def _must_hold(field: str, ids: Iterable[int], held: Collection[int]) -> None:
    missing = sorted(set(ids) - set(held))
    if missing:
        raise UnknownRecord(
            f"{field}: the UDI holds no {', '.join(map(str, missing))}; correct the ids, or run refresh_udi first"
        )
