"""Runs in SQLite: their plans, their progress and the changes that they made to channels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from streamflow.records import AccountShare, ChannelChange, Result, Run, RunState, as_twin
from streamflow.udi import bounds
from streamflow.udi.snapshot import to_json
from streamflow.udi.sqlite.database import Database
from streamflow.udi.sqlite.results import keep

TABLES = ("run", "run_stream", "run_channel", "run_wait", "run_twin")


class FileRuns:
    """Implements :class:`~streamflow.udi.ports.Runs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, run: Run) -> None:
        """Store a planned run, with no stream settled and no channel finished."""
        key = run.run_id
        with self._database.writing() as db:
            for table in TABLES:
                db.execute(f"DELETE FROM {table} WHERE run_id = ?", (key,))  # noqa: S608
            db.execute(
                "INSERT INTO run (run_id, started_at, json) VALUES (?, ?, ?)",
                (key, run.started_at.timestamp(), to_json(run)),
            )
            db.executemany(
                "INSERT OR IGNORE INTO run_stream (run_id, stream_id) VALUES (?, ?)", [(key, i) for i in run.stream_ids]
            )
            db.executemany(
                "INSERT INTO run_channel (run_id, channel_id) VALUES (?, ?)", [(key, i) for i in run.channels]
            )
            db.executemany(
                "INSERT OR IGNORE INTO run_wait VALUES (?, ?, ?)",
                [(key, channel, stream) for channel, streams in run.waits.items() for stream in streams],
            )
            db.executemany(
                "INSERT INTO run_twin VALUES (?, ?, ?)",
                [(key, stream, twin) for stream, twins in run.twins.items() for twin in twins],
            )

    def settle(self, run_id: str, result: Result) -> list[int]:
        """Store a result and settle its stream in the run; return the ids of the channels that are ready."""
        with self._database.writing() as db:
            is_current = keep(db, result)
            twins = db.execute(
                "SELECT twin FROM run_twin WHERE run_id = ? AND stream_id = ?", (run_id, result.stream_id)
            ).fetchall()
            for (twin,) in twins:
                keep(db, as_twin(result, twin))
            db.execute(
                "UPDATE run_stream SET verdict = ?, reason = ? WHERE run_id = ? AND stream_id = ? "
                "AND (verdict IS NULL OR ?)",
                (result.verdict, result.reason, run_id, result.stream_id, is_current),
            )
            ready = db.execute(
                "SELECT channel_id FROM run_wait AS mine JOIN run_channel USING (run_id, channel_id) "
                "WHERE run_id = ? AND stream_id = ? AND change IS NULL AND NOT EXISTS (SELECT 1 FROM run_wait AS other "
                "JOIN run_stream USING (run_id, stream_id) WHERE other.run_id = mine.run_id "
                "AND other.channel_id = mine.channel_id AND verdict IS NULL) ORDER BY 1",
                (run_id, result.stream_id),
            )
            return [channel for (channel,) in ready]

    def unfinished_channels(self, run_id: str) -> list[int]:
        """Return the ids of the run's channels that are not finished."""
        sql = "SELECT channel_id FROM run_channel WHERE run_id = ? AND change IS NULL ORDER BY channel_id"
        return self._database.ids(sql, run_id)

    def unsettled_streams(self, run_id: str) -> list[int]:
        """Return the ids of the run's streams that have no result in it yet."""
        sql = "SELECT stream_id FROM run_stream WHERE run_id = ? AND verdict IS NULL ORDER BY stream_id"
        return self._database.ids(sql, run_id)

    def skip(self, run_id: str, reason: str) -> None:
        """Settle the streams of a run that have no result yet as skipped."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE run_stream SET verdict = 'skipped', reason = ? WHERE run_id = ? AND verdict IS NULL",
                (reason, run_id),
            )

    def share_of(self, run_id: str, account_ids: Iterable[int]) -> AccountShare | None:
        """Return the streams of some accounts in a run."""
        found = {
            part: self._database.ids(
                f"SELECT id.value FROM run, json_each(run.json, '$.{part}') AS account, json_each(account.value) AS id "  # noqa: S608
                "WHERE run_id = ? AND account.key IN (SELECT value FROM json_each(?))",
                run_id,
                json.dumps([str(account) for account in account_ids]),
            )
            for part in ("accounts", "alive")
        }
        if not found["accounts"]:
            return None
        return AccountShare(stream_ids=tuple(found["accounts"]), alive=tuple(found["alive"]))

    def finish_channel(self, change: ChannelChange) -> None:
        """Mark a channel as finished in its run, and log its change if that is news."""
        text, channel = to_json(change), change.channel_id
        with self._database.writing() as db:
            if change.is_news:
                db.execute("INSERT OR REPLACE INTO change VALUES (?, ?, ?)", (channel, change.at.timestamp(), text))
            db.execute(
                "DELETE FROM change WHERE channel_id = ?1 AND at < (SELECT at FROM change WHERE channel_id = ?1 "
                "ORDER BY at DESC LIMIT 1 OFFSET ?2)",
                (channel, bounds.CHANGES - 1),
            )
            db.execute(
                "UPDATE run_channel SET change = ? WHERE run_id = ? AND channel_id = ?", (text, change.run_id, channel)
            )

    def close(self, run_id: str, summary: Mapping[str, Any], at: datetime) -> None:
        """Store the end and the summary of a run."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE run SET finished_at = ?, summary = ? WHERE run_id = ?",
                (at.timestamp(), json.dumps(summary), run_id),
            )

    def state(self, run_id: str) -> RunState | None:
        """Return the progress of a run."""
        with self._database.reading() as db:
            row = db.execute("SELECT json, finished_at, summary FROM run WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:
                return None
            streams = db.execute("SELECT stream_id, verdict, reason FROM run_stream WHERE run_id = ?", (run_id,))
            states = {stream: (verdict, reason) for stream, verdict, reason in streams}
            changes = db.execute(
                "SELECT change FROM run_channel WHERE run_id = ? AND change IS NOT NULL", (run_id,)
            ).fetchall()
        plan, finished_at, summary = row
        return RunState.of(
            Run.model_validate_json(plan),
            streams=states,
            finished_channels=(ChannelChange.model_validate_json(text) for (text,) in changes),
            finished_at=datetime.fromtimestamp(finished_at, UTC) if finished_at else None,
            summary=json.loads(summary) if summary else None,
        )

    def take_over(self, state: RunState, settled: Mapping[int, tuple[str, str]]) -> None:
        """Store a run as another store has it. What is settled or finished here stays.

        :param settled: verdict and reason of the settled streams.
        """
        key = state.run.run_id
        with self._database.writing() as db:
            if not db.execute("SELECT 1 FROM run WHERE run_id = ?", (key,)).fetchone():
                self.open(state.run)
                # Checks of this machine may have been settled before the run was known here.
                db.execute(
                    "UPDATE run_stream SET verdict = past.json ->> '$.verdict', reason = past.json ->> '$.reason' "
                    "FROM history AS past WHERE run_stream.run_id = ?1 AND past.run_id = ?1 "
                    "AND past.stream_id = run_stream.stream_id",
                    (key,),
                )
            db.executemany(
                "UPDATE run_stream SET verdict = ?, reason = ? WHERE run_id = ? AND stream_id = ? AND verdict IS NULL",
                [(verdict, reason, key, stream) for stream, (verdict, reason) in settled.items()],
            )
            for change in state.finished_channels.values():
                self.finish_channel(change)
            if state.finished_at:
                self.close(key, state.summary or {}, state.finished_at)

    def settled(self, run_id: str) -> dict[int, tuple[str, str]]:
        """Return verdict and reason of the run's settled streams."""
        rows = self._database.rows(
            "SELECT stream_id, verdict, reason FROM run_stream WHERE run_id = ? AND verdict IS NOT NULL", run_id
        )
        return {stream: (verdict, reason or "") for stream, verdict, reason in rows}

    def is_pending(self, run_id: str, stream_id: int) -> bool:
        """Return whether the run contains a stream and has no result of it yet."""
        sql = "SELECT 1 FROM run_stream WHERE run_id = ? AND stream_id = ? AND verdict IS NULL"
        return self._database.one(sql, run_id, stream_id) is not None

    def newest(self, limit: int = 20) -> list[str]:
        """Return run ids, newest first."""
        sql = "SELECT run_id FROM run ORDER BY started_at DESC, run_id DESC LIMIT ?"
        return [run_id for (run_id,) in self._database.rows(sql, max(limit, 0))]

    def changes(self, channel_id: int, limit: int = 50) -> list[ChannelChange]:
        """Return the log of a channel's changes, newest first."""
        sql = "SELECT json FROM change WHERE channel_id = ? ORDER BY at DESC LIMIT ?"
        rows = self._database.rows(sql, channel_id, max(limit, 0))
        return [ChannelChange.model_validate_json(text) for (text,) in rows]

    def all_changes(self) -> list[ChannelChange]:
        """Return the logs of all channels, in the order of time."""
        rows = self._database.rows("SELECT json FROM change ORDER BY at")
        return [ChannelChange.model_validate_json(text) for (text,) in rows]

    def forget(self, kept: int, before: datetime) -> int:
        """Delete all runs but the newest, and those that started ``before`` a time; return their number."""
        with self._database.writing() as db:
            gone = db.execute(
                "SELECT run_id FROM run WHERE started_at < ? OR run_id NOT IN "
                "(SELECT run_id FROM run ORDER BY started_at DESC, run_id DESC LIMIT ?)",
                (before.timestamp(), kept),
            ).fetchall()
            for table in TABLES:
                db.executemany(f"DELETE FROM {table} WHERE run_id = ?", gone)  # noqa: S608
        return len(gone)
