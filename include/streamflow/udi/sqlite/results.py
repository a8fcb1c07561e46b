"""Results in the file: the latest of each stream, its past, its failures, and what its probe does now."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from streamflow.records import DeadMemory, Result, Verdict
from streamflow.udi.library import text
from streamflow.udi.sqlite.database import Database

HISTORY = 50
PROGRESS_SECONDS = 30


class FileResults(Database):
    """What checks found out."""

    def record(self, result: Result) -> None:
        with self.writing() as db:
            keep(db, result)

    def result(self, stream_id: int) -> Result | None:
        return self.results([stream_id]).get(stream_id)

    def results(self, stream_ids: Iterable[int]) -> dict[int, Result]:
        found = self.of_ids("SELECT stream_id, json FROM result", "stream_id", stream_ids)
        return {key: Result.model_validate_json(record) for key, record in found}

    def history(self, stream_id: int, limit: int = 50) -> list[Result]:
        sql = "SELECT json FROM history WHERE stream_id = ? ORDER BY checked_at DESC LIMIT ?"
        return [Result.model_validate_json(record) for (record,) in self.rows(sql, stream_id, max(limit, 0))]

    def streams_of_verdict(self, verdict: Verdict) -> list[int]:
        return self.ids("SELECT stream_id FROM result WHERE verdict = ? ORDER BY stream_id", verdict)

    def checked_since(self, since: datetime) -> list[int]:
        return self.ids("SELECT stream_id FROM result WHERE checked_at >= ? ORDER BY stream_id", since.timestamp())

    def last_checks(self) -> dict[int, datetime]:
        rows = self.rows("SELECT stream_id, checked_at FROM result")
        return {stream: datetime.fromtimestamp(at, UTC) for stream, at in rows}

    def dead_memory(self, stream_ids: Iterable[int]) -> dict[int, DeadMemory]:
        found = self.of_ids("SELECT stream_id, json FROM dead", "stream_id", stream_ids)
        return {key: DeadMemory.model_validate_json(record) for key, record in found}

    def remember_dead(self, stream_id: int, memory: DeadMemory) -> None:
        with self.writing() as db:
            db.execute("INSERT OR REPLACE INTO dead VALUES (?, ?)", (stream_id, text(memory)))
            db.execute("DELETE FROM removed WHERE stream_id = ?", (stream_id,))
            db.executemany(
                "INSERT INTO removed VALUES (?, ?, ?)",
                [(channel, stream_id, position) for channel, position in memory.removed_from.items()],
            )

    def removed_streams(self, channel_id: int) -> dict[int, int]:
        return dict(self.rows("SELECT stream_id, position FROM removed WHERE channel_id = ?", channel_id))

    def removed_of_channels(self, channel_ids: Iterable[int]) -> dict[int, dict[int, int]]:
        found: dict[int, dict[int, int]] = {}
        rows = self.of_ids("SELECT channel_id, stream_id, position FROM removed", "channel_id", channel_ids)
        for channel, stream, position in rows:
            found.setdefault(channel, {})[stream] = position
        return found

    def progress(self, stream_id: int, state: dict[str, Any] | None) -> None:
        with self.writing() as db:
            if state is None:
                db.execute("DELETE FROM progress WHERE stream_id = ?", (stream_id,))
            else:
                row = (stream_id, time.time() + PROGRESS_SECONDS, json.dumps(state))
                db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, ?)", row)

    def running(self) -> dict[int, dict[str, Any]]:
        rows = self.rows("SELECT stream_id, json FROM progress WHERE until >= ?", time.time())
        return {stream: json.loads(state) for stream, state in rows}

    def pasts(self) -> Iterator[Result]:
        """Every result there is, those of a stream in the order of their times."""
        last: tuple[Any, ...] = (-(2**63), 0, "")
        sql = (
            "SELECT stream_id, checked_at, run_id, json FROM history WHERE (stream_id, checked_at, run_id) > (?, ?, ?) "
            "ORDER BY stream_id, checked_at, run_id LIMIT 1000"
        )
        while rows := self.rows(sql, *last):
            yield from (Result.model_validate_json(row[3]) for row in rows)
            last = rows[-1][:3]

    def memories(self) -> dict[int, DeadMemory]:
        """Of every stream that has failed."""
        rows = self.rows("SELECT stream_id, json FROM dead")
        return {stream: DeadMemory.model_validate_json(record) for stream, record in rows}

    def forget_streams(self, before: datetime) -> int:
        """Drop what belongs to streams that are not in the library and were last checked ``before``."""
        with self.writing() as db:
            gone = db.execute(
                "SELECT stream_id FROM result WHERE checked_at < ? AND stream_id NOT IN (SELECT id FROM stream)",
                (before.timestamp(),),
            ).fetchall()
            for table in ("result", "history", "dead", "removed", "gone"):
                db.executemany(f"DELETE FROM {table} WHERE stream_id = ?", gone)  # noqa: S608
            db.execute("DELETE FROM progress WHERE until < ?", (time.time(),))
        return len(gone)

    def trim_history(self, bound: int) -> int:
        """Keep at most ``bound`` past results a stream; answers how many were dropped."""
        if bound >= HISTORY:
            return 0
        with self.writing() as db:
            counted = "SELECT stream_id FROM history GROUP BY stream_id HAVING count(*) > ?"
            return sum(_trim(db, stream, bound) for (stream,) in db.execute(counted, (bound,)).fetchall())


def keep(db: sqlite3.Connection, result: Result) -> None:
    """Make a result its stream's latest, unless that is newer, and a part of its history."""
    at, record = result.checked_at.timestamp(), text(result)
    db.execute(
        "INSERT INTO result VALUES (?, ?, ?, ?) ON CONFLICT (stream_id) DO UPDATE "
        "SET checked_at = excluded.checked_at, verdict = excluded.verdict, json = excluded.json "
        "WHERE excluded.checked_at >= result.checked_at",
        (result.stream_id, at, result.verdict, record),
    )
    db.execute(
        "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)", (result.stream_id, at, result.run_id or "", record)
    )
    _trim(db, result.stream_id, HISTORY)


def _trim(db: sqlite3.Connection, stream_id: int, bound: int) -> int:
    return db.execute(
        "DELETE FROM history WHERE stream_id = ?1 AND (checked_at, run_id) IN (SELECT checked_at, run_id "
        "FROM history WHERE stream_id = ?1 ORDER BY checked_at DESC, run_id DESC LIMIT -1 OFFSET ?2)",
        (stream_id, bound),
    ).rowcount
