"""The file store: the UDI in one SQLite file, and the journal of the writes that Redis may lack."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from sqlite3 import Connection

from streamflow.udi import bounds
from streamflow.udi.ports import RefreshReport
from streamflow.udi.snapshot import LibraryTexts, Snapshot
from streamflow.udi.sqlite.database import Database
from streamflow.udi.sqlite.library import FileLibrary
from streamflow.udi.sqlite.progress import FileProgress
from streamflow.udi.sqlite.publishing import Publishing
from streamflow.udi.sqlite.results import FileResults
from streamflow.udi.sqlite.runs import FileRuns


class FileStore:
    """Implements :class:`~streamflow.udi.ports.Store` for many threads and processes of one machine."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._database = Database(file)
        self.runs = FileRuns(self._database)

    # A check writes runs alone; the other parts are made at their first use.
    @cached_property
    def library(self) -> FileLibrary:
        """The accounts, groups, streams and channels."""
        return FileLibrary(self._database)

    @cached_property
    def results(self) -> FileResults:
        """The results of checks and the memory of failures."""
        return FileResults(self._database)

    @cached_property
    def progress(self) -> FileProgress:
        """The states of running probes."""
        return FileProgress(self._database)

    @cached_property
    def publishing(self) -> Publishing:
        """The replacement of the library by a snapshot."""
        return Publishing(self._database)

    def publish(self, snapshot: Snapshot, *, max_drop: float = 0.5, force: bool = False) -> RefreshReport:
        """Replace the library by a snapshot, in one step, and write only the differences."""
        texts = LibraryTexts.of(snapshot)
        return self.publishing.publish(texts, max_drop=None if force else max_drop, broken=snapshot.broken)

    def prune(self, *, runs: int = bounds.RUNS) -> dict[str, int]:
        """Delete old runs, and the data of streams that left the library long ago."""
        now = datetime.now(UTC)
        pruned = {"runs": self.runs.forget(runs, now - timedelta(days=bounds.RUN_DAYS)), "streams": 0}
        # Without a library, every stream would seem to have left it.
        if self._database.one("SELECT 1 FROM stream LIMIT 1"):
            pruned["streams"] = self.results.forget_streams(now - timedelta(days=bounds.GONE_DAYS))
        return pruned

    def writing(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that excludes other writers. The writes inside it become a part of it."""
        return self._database.writing()

    def note(self, kind: str, text: str) -> int:
        """Add an entry to the journal.

        :param text: the record as JSON.
        :returns: the number of the entry.
        """
        with self._database.writing() as db:
            return db.execute("INSERT INTO journal (kind, json) VALUES (?, ?)", (kind, text)).lastrowid or 0

    def journal(self, limit: int = 500) -> list[tuple[int, str, str]]:
        """Return the oldest entries of the journal: number, kind, record as JSON."""
        return self._database.rows("SELECT number, kind, json FROM journal ORDER BY number LIMIT ?", limit)

    def has_unmerged_state(self) -> bool:
        """Return whether the journal holds a change of a state, and not only results, which are facts."""
        facts = "('settle', 'results', 'channel', 'close')"
        return self._database.one(f"SELECT 1 FROM journal WHERE kind NOT IN {facts} LIMIT 1") is not None  # noqa: S608

    def filling(self) -> str:
        """Return the id of the last filling of Redis that this store knows, empty for none."""
        row = self._database.one("SELECT value FROM meta WHERE name = 'filling'")
        return str(row[0]) if row else ""

    def remember_filling(self, filling: str) -> None:
        """Remember the last filling of Redis."""
        with self._database.writing() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('filling', ?)", (filling,))

    def forget(self, numbers: Iterable[int]) -> None:
        """Delete entries of the journal by their numbers."""
        with self._database.writing() as db:
            db.executemany("DELETE FROM journal WHERE number = ?", [(number,) for number in numbers])
