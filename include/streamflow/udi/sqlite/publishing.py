"""Publishing a library in SQLite: finding the differences, and writing them in one transaction."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from streamflow.records import Stream
from streamflow.udi.ports import RefreshReport
from streamflow.udi.publication import Difference, brought_back, check_drop, difference, identities, renamed, report
from streamflow.udi.snapshot import LibraryTexts
from streamflow.udi.sqlite.database import Database

# The stored hexadecimal digits of a URL's hash. These 128 bits distinguish any two URLs.
URL_DIGITS = 32


class Publishing:
    """Publishes libraries, and reads them as texts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(
        self,
        library: LibraryTexts,
        *,
        max_drop: float | None = None,
        broken: Sequence[tuple[str, str]] = (),
        at: datetime | None = None,
        orders: int | None = None,  # noqa: ARG002
    ) -> RefreshReport:
        """Replace the library, and write only the differences.

        :param max_drop: the largest share of the streams that may disappear, or None for no check.
        :param broken: the records that could not be read, for the report.
        :param at: the time of the refresh, by default now.
        :param orders: not used, because the caller excludes the other processes of this file.
        """
        started = time.monotonic()
        with self._database.writing() as db:
            old = _texts(db, "stream")
            streams = difference(old, library.streams)
            if max_drop is not None:
                check_drop(old, library.streams, max_drop)
            accounts = difference(_texts(db, "account"), library.accounts)
            groups = difference(_texts(db, "channel_group"), library.groups)
            channels = difference(_texts(db, "channel"), library.channels)
            removed = [Stream.model_validate_json(old[key]) for key in streams.removed]
            former = renamed(removed, map(library.stream, streams.added), _take_gone(db, library, streams.added))
            _carry(db, former)
            _note_return(db, brought_back(streams, old, former, library))
            _remember_gone(db, (stream for stream in removed if stream.id not in former.values()))
            written = [library.channel(key) for key in channels.written]
            _write(db, "account", accounts, ((key, library.accounts[key]) for key in accounts.written))
            _write(db, "channel_group", groups, ((key, library.groups[key]) for key in groups.written))
            with _indexes_later(db, "stream", "member") if not old else nullcontext():
                _write(db, "stream", streams, (_row(library, key) for key in streams.written))
                _write(db, "channel", channels, ((c.id, library.channels[c.id], c.group_id) for c in written))
                write_members(db, channels.removed, {channel.id: channel.stream_ids for channel in written})
            db.execute(
                "INSERT OR REPLACE INTO meta VALUES ('refreshed_at', ?)", ((at or datetime.now(UTC)).isoformat(),)
            )
        kinds = {"accounts": accounts, "groups": groups, "streams": streams, "channels": channels}
        return report(kinds, list(broken), started)

    def texts(self) -> LibraryTexts:
        """Return the whole library."""
        with self._database.reading() as db:
            return LibraryTexts(
                accounts=_texts(db, "account"),
                groups=_texts(db, "channel_group"),
                streams=_texts(db, "stream"),
                channels=_texts(db, "channel"),
            )

    def gone(self) -> dict[str, int]:
        """Return the ids of streams that left the library and have results, by their identities."""
        return dict(self._database.rows("SELECT identity, stream_id FROM gone"))


def write_members(db: sqlite3.Connection, removed: list[int], written: dict[int, tuple[int, ...]]) -> None:
    """Write the index of channels' streams.

    :param removed: the ids of the removed channels.
    :param written: the ids of the streams by changed or added channel.
    """
    db.executemany("DELETE FROM member WHERE channel_id = ?", [(key,) for key in (*removed, *written)])
    db.executemany(
        "INSERT OR IGNORE INTO member VALUES (?, ?)",
        [(channel, stream) for channel, streams in sorted(written.items()) for stream in streams],
    )


def _texts(db: sqlite3.Connection, table: str) -> dict[int, bytes]:
    return dict(db.execute(f"SELECT id, CAST(json AS BLOB) FROM {table}"))  # noqa: S608


def _row(library: LibraryTexts, key: int) -> tuple[Any, ...]:
    stream = library.stream(key)
    url_hash = stream.url_hash[:URL_DIGITS] if stream.url else None
    return key, library.streams[key], stream.account_id, stream.group_id, url_hash


@contextmanager
def _indexes_later(db: sqlite3.Connection, *tables: str) -> Iterator[None]:
    """Drop the indexes of tables, and create them at the end: a whole library is written in a fourth of the time."""
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
    # SQLite appends rows that come in the order of their ids, which is faster than inserting them.
    db.executemany(
        f"INSERT OR REPLACE INTO {table} VALUES (?, CAST(? AS TEXT){further})",  # noqa: S608
        sorted(rows, key=itemgetter(0)),
    )


def _take_gone(db: sqlite3.Connection, library: LibraryTexts, added: Iterable[int]) -> dict[str, int]:
    """Return the ids of the streams that left the library and come back, by their identities, and delete these."""
    if not db.execute("SELECT 1 FROM gone LIMIT 1").fetchone():
        return {}
    marks = json.dumps([mark for key in added for mark in identities(library.stream(key))])
    chosen = "WHERE identity IN (SELECT value FROM json_each(?))"
    gone = dict(db.execute(f"SELECT identity, stream_id FROM gone {chosen}", (marks,)))  # noqa: S608
    db.execute(f"DELETE FROM gone {chosen}", (marks,))  # noqa: S608
    return gone


def _remember_gone(db: sqlite3.Connection, removed: Iterable[Stream]) -> None:
    """Store the identities of the removed streams that have results, for the case that they come back."""
    db.executemany(
        "INSERT OR REPLACE INTO gone SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM result WHERE stream_id = ?2) "
        "OR EXISTS (SELECT 1 FROM dead WHERE stream_id = ?2)",
        [(mark, stream.id) for stream in removed for mark in identities(stream)],
    )


def _carry(db: sqlite3.Connection, ids: dict[int, int]) -> None:
    """Copy the results of streams to their new ids.

    :param ids: the old id by new id.
    """
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


def _note_return(db: sqlite3.Connection, stream_ids: list[int]) -> None:
    """Store the time of the return of the dead ones among some streams."""
    db.execute(
        "INSERT INTO dead SELECT stream_id, json_object('returned_at', ?1) FROM result "
        "WHERE verdict = 'dead' AND stream_id IN (SELECT value FROM json_each(?2)) "
        "ON CONFLICT (stream_id) DO UPDATE SET json = json_set(json, '$.returned_at', ?1)",
        (datetime.now(UTC).isoformat(), json.dumps(stream_ids)),
    )
