"""One SQLite file, used by many threads and processes of one machine."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

from streamflow.errors import UdiUnavailable

# Longer than a writer that holds the lock may wait for a reply of Redis.
BUSY_SECONDS = 30.0
# The layout that store.sql makes, and the former ones: migration_N.sql leads from the layout N to the next one. A file
# without tables has the layout 0. A file of an older layout is replaced.
LAYOUT, FORMER = 4, (2, 3)


class Database:
    """A connection for each thread, opened at its first use. Raises UdiUnavailable when the file fails."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._local = threading.local()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold a transaction that excludes other writers; inside another one of the same thread it is a part of it."""
        with self._errors(), self._transaction("BEGIN IMMEDIATE") as db:
            yield db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold a transaction that reads one state of the file, and waits for no writer."""
        with self._errors(), self._transaction("BEGIN") as db:
            yield db

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self._errors():
            return self._connection().execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """Return the first row of a query."""
        return next(iter(self.rows(sql, *values)), None)

    def ids(self, sql: str, *values: Any) -> list[int]:
        """Return the first column of a query."""
        return [row[0] for row in self.rows(sql, *values)]

    def of_ids(self, sql: str, column: str, ids: Iterable[int]) -> list[tuple[Any, ...]]:
        """Return the rows of ``sql`` whose ``column`` is one of ``ids``."""
        wanted = json.dumps(list(ids))
        return self.rows(f"{sql} WHERE {column} IN (SELECT value FROM json_each(?))", wanted)  # noqa: S608

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise UdiUnavailable(f"{self.file}: {error}") from error

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        db = self._connection()
        if db.in_transaction:
            yield db
            return
        db.execute(begin)
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            # SQLite ends a transaction by itself when, for example, the disk is full.
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _connection(self) -> sqlite3.Connection:
        # A connection must not be used in a forked process.
        if getattr(self._local, "process", None) != os.getpid():
            self._local.db = self._opened()
            self._local.process = os.getpid()
        db: sqlite3.Connection = self._local.db
        return db

    def _opened(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        # Only the owner may read the file, because URLs contain passwords. SQLite gives its other files the same mode.
        # The file is created without opening it, because closing any descriptor of a file ends the locks that SQLite
        # holds on it in this process (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        with suppress(FileExistsError):
            os.mknod(self.file, 0o600 | stat.S_IFREG)
        db = sqlite3.connect(self.file, timeout=BUSY_SECONDS, isolation_level=None)
        _use_wal(db)
        db.execute("PRAGMA synchronous = NORMAL")
        # Fewer checkpoints, because each waits for the disk. The log takes up to 16 MB (4,000 pages of 4 KiB).
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        if _layout(db) != LAYOUT:
            db.execute("BEGIN IMMEDIATE")
            _lay_out(db, _layout(db))
            db.execute("COMMIT")
        return db


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log.

    SQLite does not wait when another connection switches the file at the same time. So this function waits.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _layout(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _lay_out(db: sqlite3.Connection, layout: int) -> None:
    """Bring the file from a layout to the present one."""
    if layout == LAYOUT:
        return
    if layout > LAYOUT:
        raise sqlite3.DatabaseError(f"written by a newer StreamFlow (layout {layout}); update, or move the file away")
    if layout in FORMER:
        for former in range(layout, LAYOUT):
            _run(db, f"migration_{former}.sql")
        return
    tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
    for (table,) in tables:
        db.execute(f'DROP TABLE "{table}"')
    _run(db, "store.sql")


def _run(db: sqlite3.Connection, script: str) -> None:
    for statement in resources.files("streamflow.udi.sqlite").joinpath(script).read_text().split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {LAYOUT}")
