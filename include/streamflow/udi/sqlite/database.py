"""One SQLite file, used by many threads and processes of one machine."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from streamflow.errors import UdiUnavailable

# Longer than whoever writes may wait for an answer of Redis meanwhile.
BUSY_SECONDS = 30.0
# The layout that store.sql makes, and the one that migration.sql starts from. A file without tables has 0;
# one that is older still is begun anew.
LAYOUT, FORMER = 3, 2


class Database:
    """A connection a thread, opened with its first use; every method raises UdiUnavailable when the file fails."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._local = threading.local()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that alone may write; inside another one of the same thread it is a part of that."""
        with self._errors(), self._transaction("BEGIN IMMEDIATE") as db:
            yield db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Several questions to one state of the file; waits for no writer."""
        with self._errors(), self._transaction("BEGIN") as db:
            yield db

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._errors():
            return self._connection().execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        return next(iter(self.rows(sql, *values)), None)

    def ids(self, sql: str, *values: Any) -> list[int]:
        return [row[0] for row in self.rows(sql, *values)]

    def of_ids(self, sql: str, column: str, ids: Iterable[int]) -> list[tuple[Any, ...]]:
        """The rows of ``sql`` whose ``column`` is one of ``ids``."""
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
        # A connection must not cross a fork.
        if getattr(self._local, "process", None) != os.getpid():
            self._local.db = self._opened()
            self._local.process = os.getpid()
        db: sqlite3.Connection = self._local.db
        return db

    def _opened(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        # URLs hold passwords. SQLite gives its own further files the mode of this one.
        os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(self.file, timeout=BUSY_SECONDS, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if _layout(db) != LAYOUT:
            db.execute("BEGIN IMMEDIATE")
            _lay_out(db, _layout(db))
            db.execute("COMMIT")
        return db


def _layout(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _lay_out(db: sqlite3.Connection, found: int) -> None:
    if found == LAYOUT:
        return
    if found > LAYOUT:
        raise sqlite3.DatabaseError(f"written by a newer StreamFlow (layout {found}); update, or move the file away")
    if found == FORMER:
        _run(db, "migration.sql")
        return
    former = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
    for (table,) in former:
        db.execute(f'DROP TABLE "{table}"')
    _run(db, "store.sql")


def _run(db: sqlite3.Connection, script: str) -> None:
    for statement in resources.files("streamflow.udi.sqlite").joinpath(script).read_text().split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {LAYOUT}")
