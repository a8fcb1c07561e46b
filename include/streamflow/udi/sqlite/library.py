"""The library in SQLite: every look-up of its records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from streamflow.records import Account, Channel, Group, Stream
from streamflow.udi.snapshot import to_json
from streamflow.udi.sqlite.database import Database
from streamflow.udi.sqlite.publishing import URL_DIGITS, write_members


class FileLibrary:
    """Implements :class:`~streamflow.udi.ports.Library`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def refreshed_at(self) -> datetime | None:
        """Return the time of the last refresh."""
        row = self._database.one("SELECT value FROM meta WHERE name = 'refreshed_at'")
        return datetime.fromisoformat(row[0]) if row else None

    def accounts(self) -> list[Account]:
        """Return all accounts."""
        rows = self._database.rows("SELECT json FROM account ORDER BY id")
        return [Account.model_validate_json(text) for (text,) in rows]

    def account(self, account_id: int) -> Account | None:
        """Return one account."""
        row = self._database.one("SELECT json FROM account WHERE id = ?", account_id)
        return Account.model_validate_json(row[0]) if row else None

    def groups(self) -> list[Group]:
        """Return all groups."""
        rows = self._database.rows("SELECT json FROM channel_group ORDER BY id")
        return [Group.model_validate_json(text) for (text,) in rows]

    def stream(self, stream_id: int) -> Stream | None:
        """Return one stream."""
        return self.streams([stream_id]).get(stream_id)

    def streams(self, stream_ids: Iterable[int]) -> dict[int, Stream]:
        """Return the known streams among ``stream_ids``, by id."""
        rows = self._database.of_ids("SELECT id, json FROM stream", "id", stream_ids)
        return {key: Stream.model_validate_json(text) for key, text in rows}

    def stream_ids(self) -> list[int]:
        """Return the ids of all streams."""
        return self._database.ids("SELECT id FROM stream ORDER BY id")

    def streams_of_account(self, account_id: int) -> list[int]:
        """Return the ids of an account's streams."""
        return self._database.ids("SELECT id FROM stream WHERE account_id = ? ORDER BY id", account_id)

    def streams_of_group(self, group_id: int) -> list[int]:
        """Return the ids of a group's streams."""
        return self._database.ids("SELECT id FROM stream WHERE group_id = ? ORDER BY id", group_id)

    def streams_of_url(self, url_hash: str) -> list[int]:
        """Return the ids of the streams that have a URL."""
        return self._database.ids("SELECT id FROM stream WHERE url_hash = ? ORDER BY id", url_hash[:URL_DIGITS])

    def streams_of_urls(self, url_hashes: Iterable[str]) -> dict[str, list[int]]:
        """Return the ids of the streams that have each of some URLs."""
        found = {url_hash: self.streams_of_url(url_hash) for url_hash in url_hashes}
        return {url_hash: ids for url_hash, ids in found.items() if ids}

    def channel(self, channel_id: int) -> Channel | None:
        """Return one channel with its streams in order."""
        row = self._database.one("SELECT json FROM channel WHERE id = ?", channel_id)
        return Channel.model_validate_json(row[0]) if row else None

    def channels(self, channel_ids: Iterable[int] | None = None) -> list[Channel]:
        """Return the known channels among ``channel_ids`` (None: all channels), ordered by id."""
        if channel_ids is None:
            rows = self._database.rows("SELECT id, json FROM channel")
        else:
            rows = self._database.of_ids("SELECT id, json FROM channel", "id", channel_ids)
        return [Channel.model_validate_json(text) for _, text in sorted(rows)]

    def channels_of_group(self, group_id: int) -> list[int]:
        """Return the ids of a group's channels."""
        return self._database.ids("SELECT id FROM channel WHERE group_id = ? ORDER BY id", group_id)

    def channels_of_stream(self, stream_id: int) -> list[int]:
        """Return the ids of the channels that hold a stream."""
        return self._database.ids("SELECT channel_id FROM member WHERE stream_id = ? ORDER BY 1", stream_id)

    def orders(self) -> int:
        """Return 0: a publication excludes the writers of orders."""
        return 0

    def reorder(self, channel_id: int, stream_ids: Sequence[int]) -> None:
        """Replace the streams of a channel by an order that was written to the source."""
        with self._database.writing() as db:
            row = db.execute("SELECT json FROM channel WHERE id = ?", (channel_id,)).fetchone()
            if row:
                channel = Channel.model_validate_json(row[0]).model_copy(update={"stream_ids": tuple(stream_ids)})
                db.execute("UPDATE channel SET json = ? WHERE id = ?", (to_json(channel), channel_id))
                write_members(db, [], {channel_id: channel.stream_ids})
