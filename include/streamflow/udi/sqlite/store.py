"""The file store: the UDI in one SQLite file, for when Redis is away, and the journal of what Redis lacks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from streamflow.udi.sqlite.library import URL_DIGITS, FileLibrary
from streamflow.udi.sqlite.runs import FileRuns

# As in the Redis store.
GONE_DAYS = RUN_DAYS = 30


class FileStore(FileLibrary, FileRuns):
    """Implements :class:`~streamflow.udi.ports.Store`. Safe for many threads and processes of one machine."""

    def ping(self) -> None:
        self.one("SELECT 1 FROM meta")

    def changed_urls(self, stream_ids: Iterable[int]) -> set[int]:
        without = hashlib.sha256(b"").hexdigest()
        checked = (
            "SELECT stream_id, coalesce(url_hash, ?) AS now, substr(result.json ->> '$.url_hash', 1, ?) AS was "
            "FROM result LEFT JOIN stream ON id = stream_id WHERE stream_id IN (SELECT value FROM json_each(?))"
        )
        values = (without[:URL_DIGITS], URL_DIGITS, json.dumps(list(stream_ids)))
        return set(self.ids(f"SELECT stream_id FROM ({checked}) WHERE now IS NOT was", *values))  # noqa: S608

    def prune(self, *, history_per_stream: int = 50, runs: int = 200) -> dict[str, int]:
        before = datetime.now(UTC) - timedelta(days=GONE_DAYS)
        pruned = {"history": self.trim_history(history_per_stream), "runs": self.forget_runs(runs, before)}
        # Without a library, every stream would look gone.
        return pruned | {"streams": self.forget_streams(before) if self.one("SELECT 1 FROM stream LIMIT 1") else 0}

    def note(self, kind: str, record: dict[str, Any]) -> int:
        """Enter a write into the journal; answers its number."""
        with self.writing() as db:
            entered = db.execute("INSERT INTO journal (kind, json) VALUES (?, ?)", (kind, json.dumps(record)))
            return entered.lastrowid or 0

    def journal(self, limit: int = 500) -> list[tuple[int, str, dict[str, Any]]]:
        """The oldest entries: number, kind, record."""
        rows = self.rows("SELECT number, kind, json FROM journal ORDER BY number LIMIT ?", limit)
        return [(number, kind, json.loads(record)) for number, kind, record in rows]

    def forget(self, numbers: Iterable[int]) -> None:
        """Drop entries of the journal that are in Redis."""
        with self.writing() as db:
            db.executemany("DELETE FROM journal WHERE number = ?", [(number,) for number in numbers])
