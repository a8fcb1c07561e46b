"""The library in the file: publishing it in one transaction, and every look-up of its records."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from streamflow.records import Account, Channel, Group, Stream
from streamflow.udi.library import Library, Snapshot, text
from streamflow.udi.ports import RefreshReport
from streamflow.udi.publication import Difference, difference, guard, identities, renamed, report
from streamflow.udi.sqlite.database import Database

# Of a URL's hash; they tell any two URLs apart.
URL_DIGITS = 32


class FileLibrary(Database):
    """Accounts, groups, streams and channels."""

    def publish(self, snapshot: Snapshot, *, max_drop: float = 0.5, force: bool = False) -> RefreshReport:
        library = Library.of(snapshot)
        return self.publish_library(library, max_drop=None if force else max_drop, broken=snapshot.broken)

    def publish_library(
        self, library: Library, *, max_drop: float | None = None, broken: Sequence[tuple[str, str]] = ()
    ) -> RefreshReport:
        """As :meth:`publish`, for a library as it is stored; without ``max_drop`` nothing is guarded."""
        started = time.monotonic()
        with self.writing() as db:
            old = _texts(db, "stream")
            streams = difference(old, library.streams)
            if max_drop is not None:
                guard(len(old), len(streams.removed), max_drop)
            accounts = difference(_texts(db, "account"), library.accounts)
            groups = difference(_texts(db, "channel_group"), library.groups)
            channels = difference(_texts(db, "channel"), library.channels)
            removed = [Stream.model_validate_json(old[key]) for key in streams.removed]
            former = renamed(removed, map(library.stream, streams.added), _back(db, library, streams.added))
            _carry(db, former)
            _part(db, (stream for stream in removed if stream.id not in former.values()))
            written = [library.channel(key) for key in channels.written]
            _write(db, "account", accounts, ((key, library.accounts[key]) for key in accounts.written))
            _write(db, "channel_group", groups, ((key, library.groups[key]) for key in groups.written))
            with _indexes_later(db, "stream", "member") if not old else nullcontext():
                _write(db, "stream", streams, (_row(library, key) for key in streams.written))
                _write(db, "channel", channels, ((c.id, library.channels[c.id], c.group_id) for c in written))
                _write_members(db, channels.removed, {channel.id: channel.stream_ids for channel in written})
            db.execute("INSERT OR REPLACE INTO meta VALUES ('refreshed_at', ?)", (datetime.now(UTC).isoformat(),))
        kinds = {"accounts": accounts, "groups": groups, "streams": streams, "channels": channels}
        return report(kinds, list(broken), started)

    def library(self) -> Library:
        """All of it, as it is stored."""
        with self.reading() as db:
            return Library(
                accounts=_texts(db, "account"),
                groups=_texts(db, "channel_group"),
                streams=_texts(db, "stream"),
                channels=_texts(db, "channel"),
            )

    def gone(self) -> dict[str, int]:
        """Ids of streams with results that left the library, by what they were known by."""
        return dict(self.rows("SELECT identity, stream_id FROM gone"))

    def refreshed_at(self) -> datetime | None:
        row = self.one("SELECT value FROM meta WHERE name = 'refreshed_at'")
        return datetime.fromisoformat(row[0]) if row else None

    def accounts(self) -> list[Account]:
        return [Account.model_validate_json(row[0]) for row in self.rows("SELECT json FROM account ORDER BY id")]

    def account(self, account_id: int) -> Account | None:
        row = self.one("SELECT json FROM account WHERE id = ?", account_id)
        return Account.model_validate_json(row[0]) if row else None

    def groups(self) -> list[Group]:
        return [Group.model_validate_json(row[0]) for row in self.rows("SELECT json FROM channel_group ORDER BY id")]

    def stream(self, stream_id: int) -> Stream | None:
        return self.streams([stream_id]).get(stream_id)

    def streams(self, stream_ids: Iterable[int]) -> dict[int, Stream]:
        found = self.of_ids("SELECT id, json FROM stream", "id", stream_ids)
        return {key: Stream.model_validate_json(record) for key, record in found}

    def stream_ids(self) -> list[int]:
        return self.ids("SELECT id FROM stream ORDER BY id")

    def streams_of_account(self, account_id: int) -> list[int]:
        return self.ids("SELECT id FROM stream WHERE account_id = ? ORDER BY id", account_id)

    def streams_of_group(self, group_id: int) -> list[int]:
        return self.ids("SELECT id FROM stream WHERE group_id = ? ORDER BY id", group_id)

    def streams_of_url(self, url_hash: str) -> list[int]:
        return self.ids("SELECT id FROM stream WHERE url_hash = ? ORDER BY id", url_hash[:URL_DIGITS])

    def channel(self, channel_id: int) -> Channel | None:
        row = self.one("SELECT json FROM channel WHERE id = ?", channel_id)
        return Channel.model_validate_json(row[0]) if row else None

    def channels(self, channel_ids: Iterable[int] | None = None) -> list[Channel]:
        if channel_ids is None:
            found = self.rows("SELECT id, json FROM channel")
        else:
            found = self.of_ids("SELECT id, json FROM channel", "id", channel_ids)
        return [Channel.model_validate_json(record) for _, record in sorted(found)]

    def channels_of_group(self, group_id: int) -> list[int]:
        return self.ids("SELECT id FROM channel WHERE group_id = ? ORDER BY id", group_id)

    def channels_of_stream(self, stream_id: int) -> list[int]:
        return self.ids("SELECT channel_id FROM member WHERE stream_id = ? ORDER BY 1", stream_id)

    def reorder(self, channel_id: int, stream_ids: Sequence[int]) -> None:
        with self.writing() as db:
            row = db.execute("SELECT json FROM channel WHERE id = ?", (channel_id,)).fetchone()
            if row:
                channel = Channel.model_validate_json(row[0]).model_copy(update={"stream_ids": tuple(stream_ids)})
                db.execute("UPDATE channel SET json = ? WHERE id = ?", (text(channel), channel_id))
                _write_members(db, [], {channel_id: channel.stream_ids})


def _texts(db: sqlite3.Connection, table: str) -> dict[int, bytes]:
    return dict(db.execute(f"SELECT id, CAST(json AS BLOB) FROM {table}"))  # noqa: S608


def _row(library: Library, key: int) -> tuple[Any, ...]:
    stream = library.stream(key)
    url_hash = stream.url_hash[:URL_DIGITS] if stream.url else None
    return key, library.streams[key], stream.account_id, stream.group_id, url_hash


@contextmanager
def _indexes_later(db: sqlite3.Connection, *tables: str) -> Iterator[None]:
    """Fill tables first and index them then: for a whole library, a fourth of the time."""
    indexes: list[tuple[str, str]] = []
    for table in tables:
        indexes += db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (table,)
        )
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    yield
    for _, creation in indexes:
        db.execute(creation)


def _write(db: sqlite3.Connection, table: str, change: Difference, rows: Iterable[tuple[Any, ...]]) -> None:
    db.executemany(f"DELETE FROM {table} WHERE id = ?", [(key,) for key in change.removed])  # noqa: S608
    further = {"stream": ", ?, ?, ?", "channel": ", ?"}.get(table, "")
    # Rows in the order of their ids are appended, not sorted in.
    db.executemany(
        f"INSERT OR REPLACE INTO {table} VALUES (?, CAST(? AS TEXT){further})",  # noqa: S608
        sorted(rows, key=itemgetter(0)),
    )


def _write_members(db: sqlite3.Connection, removed: list[int], written: dict[int, tuple[int, ...]]) -> None:
    db.executemany("DELETE FROM member WHERE channel_id = ?", [(key,) for key in (*removed, *written)])
    db.executemany(
        "INSERT OR IGNORE INTO member VALUES (?, ?)",
        [(channel, stream) for channel, streams in sorted(written.items()) for stream in streams],
    )


def _back(db: sqlite3.Connection, library: Library, added: Iterable[int]) -> dict[str, int]:
    """Those of the added streams' identities that streams which left had; they are gone no more."""
    if not db.execute("SELECT 1 FROM gone LIMIT 1").fetchone():
        return {}
    marks = json.dumps([mark for key in added for mark in identities(library.stream(key))])
    chosen = "WHERE identity IN (SELECT value FROM json_each(?))"
    found = dict(db.execute(f"SELECT identity, stream_id FROM gone {chosen}", (marks,)))  # noqa: S608
    db.execute(f"DELETE FROM gone {chosen}", (marks,))  # noqa: S608
    return found


def _part(db: sqlite3.Connection, removed: Iterable[Stream]) -> None:
    """Remember streams that leave with results, for the day when they come back."""
    db.executemany(
        "INSERT OR REPLACE INTO gone SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM result WHERE stream_id = ?2)",
        [(mark, stream.id) for stream in removed for mark in identities(stream)],
    )


def _carry(db: sqlite3.Connection, ids: dict[int, int]) -> None:
    """Give the results of old ids to new ones (new id to old id)."""
    for new, old in ids.items():
        db.execute(
            "INSERT OR IGNORE INTO result SELECT ?1, checked_at, verdict, json_set(json, '$.stream_id', ?1) "
            "FROM result WHERE stream_id = ?2",
            (new, old),
        )
        db.execute(
            "INSERT OR IGNORE INTO history SELECT ?1, checked_at, run_id, json_set(json, '$.stream_id', ?1) "
            "FROM history WHERE stream_id = ?2",
            (new, old),
        )
        db.execute(
            "INSERT OR IGNORE INTO dead SELECT ?1, json_remove(json, '$.removed_from') FROM dead WHERE stream_id = ?2",
            (new, old),
        )
