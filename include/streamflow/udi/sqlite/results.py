"""Results in SQLite: the latest of each stream, its history and its failures."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from streamflow.records import DeadMemory, Playback, Result, Verdict
from streamflow.records.stream import NO_URL_HASH
from streamflow.udi import bounds
from streamflow.udi.snapshot import to_json
from streamflow.udi.sqlite.database import Database
from streamflow.udi.sqlite.publishing import URL_DIGITS


class FileResults:
    """Implements :class:`~streamflow.udi.ports.Results`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, stream_id: int) -> Result | None:
        """Return the result of a stream's last check."""
        return self.latest_of([stream_id]).get(stream_id)

    def latest_of(self, stream_ids: Iterable[int]) -> dict[int, Result]:
        """Return the results of the last checks by stream."""
        rows = self._database.of_ids("SELECT stream_id, json FROM result", "stream_id", stream_ids)
        return {key: Result.model_validate_json(text) for key, text in rows}

    def history(self, stream_id: int, limit: int = 50) -> list[Result]:
        """Return the past results of a stream, newest first."""
        sql = "SELECT json FROM history WHERE stream_id = ? ORDER BY checked_at DESC LIMIT ?"
        return [Result.model_validate_json(text) for (text,) in self._database.rows(sql, stream_id, max(limit, 0))]

    def histories(self, stream_ids: Iterable[int], limit: int = bounds.HISTORY) -> dict[int, list[Result]]:
        """Return the past results of streams, each newest first."""
        numbered = (
            "SELECT stream_id, checked_at, json, row_number() OVER (PARTITION BY stream_id ORDER BY checked_at DESC) "
            "AS place FROM history WHERE stream_id IN (SELECT value FROM json_each(?))"
        )
        sql = f"SELECT stream_id, json FROM ({numbered}) WHERE place <= ? ORDER BY stream_id, place"  # noqa: S608
        found: dict[int, list[Result]] = {}
        for stream, text in self._database.rows(sql, json.dumps(list(stream_ids)), limit):
            found.setdefault(stream, []).append(Result.model_validate_json(text))
        return found

    def streams_of_verdict(self, verdict: Verdict) -> list[int]:
        """Return the ids of the streams whose latest result has a verdict."""
        return self._database.ids("SELECT stream_id FROM result WHERE verdict = ? ORDER BY stream_id", verdict)

    def checked_since(self, since: datetime) -> list[int]:
        """Return the ids of the streams whose latest result is not older than ``since``."""
        sql = "SELECT stream_id FROM result WHERE checked_at >= ? ORDER BY stream_id"
        return self._database.ids(sql, since.timestamp())

    def last_checks(self, since: datetime | None = None) -> dict[int, datetime]:
        """Return the time of every stream's latest result, by stream."""
        oldest = since.timestamp() if since else float("-inf")
        rows = self._database.rows("SELECT stream_id, checked_at FROM result WHERE checked_at >= ?", oldest)
        return {stream: datetime.fromtimestamp(at, UTC) for stream, at in rows}

    def checks(self) -> dict[int, tuple[float, str]]:
        """Return the time (s) and the verdict of every stream's latest result, by stream."""
        rows = self._database.rows("SELECT stream_id, checked_at, verdict FROM result")
        return {stream: (at, verdict) for stream, at, verdict in rows}

    def add(self, results: Iterable[Result]) -> None:
        """Store results without a run, each as its stream's latest unless a newer one is there."""
        with self._database.writing() as db:
            for result in results:
                keep(db, result)

    def changed_urls(self, stream_ids: Iterable[int]) -> set[int]:
        """Return those of the streams whose URL differs from the URL of their latest result."""
        checked = (
            "SELECT stream_id, coalesce(url_hash, ?) AS current, substr(result.json ->> '$.url_hash', 1, ?) AS checked "
            "FROM result LEFT JOIN stream ON id = stream_id WHERE stream_id IN (SELECT value FROM json_each(?))"
        )
        values = (NO_URL_HASH[:URL_DIGITS], URL_DIGITS, json.dumps(list(stream_ids)))
        sql = f"SELECT stream_id FROM ({checked}) WHERE current IS NOT checked"  # noqa: S608
        return set(self._database.ids(sql, *values))

    def dead_memory(self, stream_ids: Iterable[int]) -> dict[int, DeadMemory]:
        """Return the memory of failures by stream."""
        rows = self._database.of_ids("SELECT stream_id, json FROM dead", "stream_id", stream_ids)
        return {key: DeadMemory.model_validate_json(text) for key, text in rows}

    def remember_dead(self, memories: Mapping[int, DeadMemory]) -> None:
        """Replace the memory of failures of streams, in one step."""
        with self._database.writing() as db:
            for stream_id, memory in memories.items():
                db.execute("INSERT OR REPLACE INTO dead VALUES (?, ?)", (stream_id, to_json(memory)))
                db.execute("DELETE FROM removed WHERE stream_id = ?", (stream_id,))
                db.executemany(
                    "INSERT INTO removed VALUES (?, ?, ?)",
                    [(channel, stream_id, position) for channel, position in memory.removed_from.items()],
                )

    def decided(self) -> dict[int, DeadMemory]:
        """Return the memory of the streams with a decision about a channel."""
        rows = self._database.rows("SELECT stream_id, json FROM dead WHERE json ->> '$.decisions' IS NOT NULL")
        return {stream: DeadMemory.model_validate_json(text) for stream, text in rows}

    def add_playbacks(self, playbacks: Iterable[Playback]) -> None:
        """Store playbacks, by their streams and starts."""
        playbacks = list(playbacks)
        newest = max((one.begun_at.timestamp() for one in playbacks), default=0.0)
        with self._database.writing() as db:
            for one in playbacks:
                values = (one.stream_id, one.begun_at.timestamp(), to_json(one))
                db.execute("INSERT OR REPLACE INTO playback VALUES (?, ?, ?)", values)
                db.execute(
                    "DELETE FROM playback WHERE stream_id = ?1 AND begun_at IN (SELECT begun_at FROM playback "
                    "WHERE stream_id = ?1 ORDER BY begun_at DESC LIMIT -1 OFFSET ?2)",
                    (one.stream_id, bounds.PLAYBACKS),
                )
            oldest = newest - timedelta(days=bounds.PLAYBACK_DAYS).total_seconds()
            db.execute("DELETE FROM playback WHERE begun_at < ?", (oldest,))

    def playbacks(self, stream_ids: Iterable[int]) -> dict[int, list[Playback]]:
        """Return the last playbacks by stream, newest first."""
        rows = self._database.of_ids("SELECT stream_id, begun_at, json FROM playback", "stream_id", stream_ids)
        found: dict[int, list[Playback]] = {}
        for stream, _, text in sorted(rows, key=lambda row: -row[1]):
            found.setdefault(stream, []).append(Playback.model_validate_json(text))
        return found

    def all_playbacks(self) -> list[Playback]:
        """Return the playbacks of all streams."""
        return [Playback.model_validate_json(text) for (text,) in self._database.rows("SELECT json FROM playback")]

    def removed_streams(self, channel_id: int) -> dict[int, int]:
        """Return the streams that the policy removed from a channel, with the position that each had."""
        return dict(self._database.rows("SELECT stream_id, position FROM removed WHERE channel_id = ?", channel_id))

    def removed_of_channels(self, channel_ids: Iterable[int]) -> dict[int, dict[int, int]]:
        """Return the removed streams by channel, without the channels that have none."""
        removed: dict[int, dict[int, int]] = {}
        sql = "SELECT channel_id, stream_id, position FROM removed"
        for channel, stream, position in self._database.of_ids(sql, "channel_id", channel_ids):
            removed.setdefault(channel, {})[stream] = position
        return removed

    def present(self, result: Result) -> Result:
        """Return the stored version of a result of the same check, or the result itself if none is stored."""
        row = self._database.one(
            "SELECT json FROM history WHERE stream_id = ? AND checked_at = ? AND run_id = ?",
            result.stream_id,
            result.checked_at.timestamp(),
            result.run_id or "",
        )
        return Result.model_validate_json(row[0]) if row else result

    def pasts(self) -> Iterator[Result]:
        """Yield every stored result, those of a stream in the order of their times."""
        last: tuple[Any, ...] = (-(2**63), 0, "")
        sql = (
            "SELECT stream_id, checked_at, run_id, json FROM history WHERE (stream_id, checked_at, run_id) > (?, ?, ?) "
            "ORDER BY stream_id, checked_at, run_id LIMIT 1000"
        )
        while rows := self._database.rows(sql, *last):
            yield from (Result.model_validate_json(row[3]) for row in rows)
            last = rows[-1][:3]

    def memories(self) -> dict[int, DeadMemory]:
        """Return the memory of failures of every stream that has one."""
        rows = self._database.rows("SELECT stream_id, json FROM dead")
        return {stream: DeadMemory.model_validate_json(text) for stream, text in rows}

    def forget_streams(self, before: datetime) -> int:
        """Delete the data of the streams that are not in the library and were last checked ``before`` a time.

        :returns: the number of these streams.
        """
        with self._database.writing() as db:
            gone = db.execute(
                "SELECT stream_id FROM result WHERE checked_at < ? AND stream_id NOT IN (SELECT id FROM stream)",
                (before.timestamp(),),
            ).fetchall()
            for table in ("result", "history", "dead", "removed", "gone", "playback"):
                db.executemany(f"DELETE FROM {table} WHERE stream_id = ?", gone)  # noqa: S608
            db.execute("DELETE FROM progress WHERE until < ?", (time.time(),))
        return len(gone)


def keep(db: sqlite3.Connection, result: Result) -> bool:
    """Store a result as its stream's latest, unless a newer one is there, and in the stream's history.

    :returns: whether it is the latest, or replaces a former version of the same check.
    """
    at, text, run_id = result.checked_at.timestamp(), to_json(result), result.run_id or ""
    latest = db.execute(
        "INSERT INTO result VALUES (?, ?, ?, ?) ON CONFLICT (stream_id) DO UPDATE "
        "SET checked_at = excluded.checked_at, verdict = excluded.verdict, json = excluded.json "
        "WHERE excluded.checked_at >= result.checked_at",
        (result.stream_id, at, result.verdict, text),
    )
    is_current = latest.rowcount == 1
    if not is_current:
        replaced = db.execute(
            "UPDATE history SET json = ?4 WHERE stream_id = ?1 AND checked_at = ?2 AND run_id = ?3 AND json <> ?4",
            (result.stream_id, at, run_id, text),
        )
        is_current = replaced.rowcount == 1
    db.execute("INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)", (result.stream_id, at, run_id, text))
    db.execute(
        "DELETE FROM history WHERE stream_id = ?1 AND (checked_at, run_id) IN (SELECT checked_at, run_id "
        "FROM history WHERE stream_id = ?1 ORDER BY checked_at DESC, run_id DESC LIMIT -1 OFFSET ?2)",
        (result.stream_id, bounds.HISTORY),
    )
    return is_current
