"""Runs in the file: what each planned, how far it is, and what it did to channels."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from streamflow.records import ChannelChange, Result, Run, RunState, as_twin
from streamflow.udi.library import text
from streamflow.udi.sqlite.results import FileResults, keep

CHANGES = 50
TABLES = ("run", "run_stream", "run_channel", "run_wait", "run_twin")


class FileRuns(FileResults):
    """Runs; a settled stream of a run is a result too."""

    def open_run(self, run: Run) -> None:
        key = run.run_id
        with self.writing() as db:
            for table in TABLES:
                db.execute(f"DELETE FROM {table} WHERE run_id = ?", (key,))  # noqa: S608
            db.execute(
                "INSERT INTO run (run_id, started_at, json) VALUES (?, ?, ?)",
                (key, run.started_at.timestamp(), text(run)),
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
        with self.writing() as db:
            keep(db, result)
            twins = db.execute(
                "SELECT twin FROM run_twin WHERE run_id = ? AND stream_id = ?", (run_id, result.stream_id)
            ).fetchall()
            for (twin,) in twins:
                keep(db, as_twin(result, twin))
            db.execute(
                "UPDATE run_stream SET verdict = ?, reason = ? WHERE run_id = ? AND stream_id = ?",
                (result.verdict, result.reason, run_id, result.stream_id),
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
        return self.ids(
            "SELECT channel_id FROM run_channel WHERE run_id = ? AND change IS NULL ORDER BY channel_id", run_id
        )

    def unsettled_streams(self, run_id: str) -> list[int]:
        return self.ids(
            "SELECT stream_id FROM run_stream WHERE run_id = ? AND verdict IS NULL ORDER BY stream_id", run_id
        )

    def finish_channel(self, change: ChannelChange) -> None:
        record, key = text(change), change.channel_id
        with self.writing() as db:
            if change.is_news:
                db.execute("INSERT OR REPLACE INTO change VALUES (?, ?, ?)", (key, change.at.timestamp(), record))
            db.execute(
                "DELETE FROM change WHERE channel_id = ?1 AND at < (SELECT at FROM change WHERE channel_id = ?1 "
                "ORDER BY at DESC LIMIT 1 OFFSET ?2)",
                (key, CHANGES - 1),
            )
            db.execute(
                "UPDATE run_channel SET change = ? WHERE run_id = ? AND channel_id = ?", (record, change.run_id, key)
            )

    def close_run(self, run_id: str, summary: dict[str, Any], at: datetime) -> None:
        with self.writing() as db:
            db.execute(
                "UPDATE run SET finished_at = ?, summary = ? WHERE run_id = ?",
                (at.timestamp(), json.dumps(summary), run_id),
            )

    def run(self, run_id: str) -> RunState | None:
        with self.reading() as db:
            row = db.execute("SELECT json, finished_at, summary FROM run WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:
                return None
            streams = db.execute(
                "SELECT stream_id, verdict, reason FROM run_stream WHERE run_id = ?", (run_id,)
            ).fetchall()
            changed = db.execute(
                "SELECT channel_id, change FROM run_channel WHERE run_id = ? AND change IS NOT NULL", (run_id,)
            ).fetchall()
        return RunState(
            run=Run.model_validate_json(row[0]),
            streams={stream: verdict or "pending" for stream, verdict, _ in streams},
            verdicts=dict(Counter(verdict for _, verdict, _ in streams if verdict)),
            reasons=dict(Counter(reason for _, _, reason in streams if reason)),
            finished_channels={channel: ChannelChange.model_validate_json(record) for channel, record in changed},
            finished_at=datetime.fromtimestamp(row[1], UTC) if row[1] else None,
            summary=json.loads(row[2]) if row[2] else None,
        )

    def settled(self, run_id: str) -> dict[int, tuple[str, str]]:
        """Verdict and reason of the run's streams that are done."""
        rows = self.rows(
            "SELECT stream_id, verdict, reason FROM run_stream WHERE run_id = ? AND verdict IS NOT NULL", run_id
        )
        return {stream: (verdict, reason or "") for stream, verdict, reason in rows}

    def runs(self, limit: int = 20) -> list[str]:
        sql = "SELECT run_id FROM run ORDER BY started_at DESC, run_id DESC LIMIT ?"
        return [run for (run,) in self.rows(sql, max(limit, 0))]

    def last_change(self, channel_id: int) -> ChannelChange | None:
        row = self.one("SELECT json FROM change WHERE channel_id = ? ORDER BY at DESC LIMIT 1", channel_id)
        return ChannelChange.model_validate_json(row[0]) if row else None

    def changes(self, channel_id: int, limit: int = 50) -> list[ChannelChange]:
        sql = "SELECT json FROM change WHERE channel_id = ? ORDER BY at DESC LIMIT ?"
        return [ChannelChange.model_validate_json(record) for (record,) in self.rows(sql, channel_id, max(limit, 0))]

    def all_changes(self) -> list[ChannelChange]:
        """Every channel's log, in the order of time."""
        return [
            ChannelChange.model_validate_json(record) for (record,) in self.rows("SELECT json FROM change ORDER BY at")
        ]

    def forget_runs(self, kept: int, before: datetime) -> int:
        """Drop all but the newest runs, and those that started ``before``; answers how many."""
        with self.writing() as db:
            gone = db.execute(
                "SELECT run_id FROM run WHERE started_at < ? OR run_id NOT IN "
                "(SELECT run_id FROM run ORDER BY started_at DESC, run_id DESC LIMIT ?)",
                (before.timestamp(), kept),
            ).fetchall()
            for table in TABLES:
                db.executemany(f"DELETE FROM {table} WHERE run_id = ?", gone)  # noqa: S608
        return len(gone)
