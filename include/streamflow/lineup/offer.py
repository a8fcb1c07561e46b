"""The library as matching sees it: channels that look for streams, and the streams that are in no channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from streamflow.matching.decision import Candidate, Refusal
from streamflow.matching.matcher import match
from streamflow.matching.records import ChannelName, StreamName
from streamflow.matching.rule import Rule
from streamflow.records import Account, Channel, Stream
from streamflow.udi.ports import Library

# Streams that are read in one step.
CHUNK = 5000


@dataclass(frozen=True)
class Offer:
    """The channels, all streams, and those of them that are in no channel and can be watched.

    Stale streams have left their provider, those of inactive accounts cannot be opened, and web pages cannot be
    checked.
    """

    channels: dict[int, Channel]
    streams: dict[int, Stream]
    free: frozenset[int]
    accounts: dict[int, Account]
    groups: dict[int, str]

    @classmethod
    def read(cls, library: Library) -> Self:
        """Read the library."""
        channels = {channel.id: channel for channel in library.channels()}
        assigned = {stream for channel in channels.values() for stream in channel.stream_ids}
        accounts = {account.id: account for account in library.accounts()}
        inactive = {account.id for account in accounts.values() if not account.is_active}
        streams = {stream.id: stream for stream in _streams(library, library.stream_ids())}
        free = frozenset(
            stream.id
            for stream in streams.values()
            if stream.id not in assigned
            and stream.url
            and not (stream.is_stale or stream.is_page or stream.account_id in inactive)
        )
        return cls(channels, streams, free, accounts, {group.id: group.name for group in library.groups()})

    def outcomes(self, rules: Sequence[Rule]) -> Iterator[Candidate | Refusal]:
        """Match the free streams, and yield each candidate, and the reason for each stream that no channel takes."""
        wanted = [self._channel_name(channel) for channel in self.channels.values()]
        return match(wanted, (self._stream_name(self.streams[id]) for id in sorted(self.free)), rules)

    def account_name(self, stream: Stream) -> str:
        """Return the name of a stream's account; empty for none."""
        account = self.accounts.get(stream.account_id) if stream.account_id is not None else None
        return account.name if account else ""

    def group_name(self, record: Channel | Stream) -> str:
        """Return the name of a channel's or stream's group; empty for none."""
        return self.groups.get(record.group_id, "") if record.group_id is not None else ""

    def _channel_name(self, channel: Channel) -> ChannelName:
        first = self.streams.get(channel.stream_ids[0]) if channel.stream_ids else None
        guide_id = channel.tvg_id or (first.tvg_id if first else None) or ""
        return ChannelName(channel.id, channel.name, guide_id, self.group_name(channel))

    def _stream_name(self, stream: Stream) -> StreamName:
        return StreamName(
            stream.id,
            stream.name,
            stream.tvg_id or "",
            self.group_name(stream),
            stream.account_id,
            self.account_name(stream),
        )


def _streams(library: Library, stream_ids: list[int]) -> Iterator[Stream]:
    for start in range(0, len(stream_ids), CHUNK):
        yield from library.streams(stream_ids[start : start + CHUNK]).values()
