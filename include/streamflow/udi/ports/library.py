"""The library: accounts, groups, streams and channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from streamflow.records import Account, Channel, Group, Stream


class Library(Protocol):
    """The accounts, groups, streams and channels of the last published snapshot.

    All lists of ids are sorted in ascending order. An unknown id gives None, or is left out of the returned mapping.
    """

    def refreshed_at(self) -> datetime | None:
        """Return the time of the last refresh, or None before the first."""

    def accounts(self) -> list[Account]:
        """Return all accounts, ordered by id."""

    def account(self, account_id: int) -> Account | None:
        """Return one account."""

    def groups(self) -> list[Group]:
        """Return all groups, ordered by id."""

    def stream(self, stream_id: int) -> Stream | None:
        """Return one stream."""

    def streams(self, stream_ids: Iterable[int]) -> dict[int, Stream]:
        """Return the known streams among ``stream_ids``, by id."""

    def stream_ids(self) -> list[int]:
        """Return the ids of all streams."""

    def streams_of_account(self, account_id: int) -> list[int]:
        """Return the ids of an account's streams."""

    def streams_of_group(self, group_id: int) -> list[int]:
        """Return the ids of a group's streams."""

    def streams_of_url(self, url_hash: str) -> list[int]:
        """Return the ids of the streams that have a URL.

        :param url_hash: SHA-256 of the URL in hexadecimal digits.
        """

    def streams_of_urls(self, url_hashes: Iterable[str]) -> dict[str, list[int]]:
        """Return :meth:`streams_of_url` by hash, without the URLs that no stream has."""

    def channel(self, channel_id: int) -> Channel | None:
        """Return one channel with its streams in order."""

    def channels(self, channel_ids: Iterable[int] | None = None) -> list[Channel]:
        """Return the known channels among ``channel_ids`` (None: all channels), ordered by id."""

    def channels_of_group(self, group_id: int) -> list[int]:
        """Return the ids of a group's channels."""

    def channels_of_stream(self, stream_id: int) -> list[int]:
        """Return the ids of the channels that hold a stream."""

    def reorder(self, channel_id: int, stream_ids: Sequence[int]) -> None:
        """Replace the streams of a channel by an order that was written to the source.

        The next refresh then finds no difference. An unknown channel is ignored.
        """
