"""The file store: the UDI in one SQLite file, for when Redis is away."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from streamflow.errors import UdiUnavailable
from streamflow.udi.models import Account, Channel, Group, Result, Stream, Verdict
from streamflow.udi.publication import difference, guard
from streamflow.udi.store import ChannelChange, DeadMemory, RefreshReport, Run, RunState, Snapshot

R = TypeVar("R", bound=BaseModel)

PROGRESS_SECONDS = 30
BUSY_SECONDS = 10.0


class FileStore:
    """Implements :class:`~streamflow.udi.store.Store`. Safe for many threads and processes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._local = threading.local()

    @contextmanager
    def _db(self) -> Iterator[sqlite3.Connection]:
        """A transaction; raises UdiUnavailable when the file can't be used."""
        try:
            db = getattr(self._local, "db", None)
            if db is None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                db = sqlite3.connect(self.file, timeout=BUSY_SECONDS, isolation_level=None)
                db.executescript(resources.files("streamflow.udi").joinpath("file_store.sql").read_text())
                db.execute("PRAGMA synchronous = NORMAL")
                self._local.db = db
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise UdiUnavailable(f"{self.file}: {error}") from error

    def ping(self) -> None:
        with self._db() as db:
            db.execute("SELECT 1")

    # -- the library -------------------------------------------------------------------------
    def publish(self, snapshot: Snapshot, *, max_drop: float = 0.5, force: bool = False) -> RefreshReport:
        started = time.monotonic()
        with self._db() as db:
            accounts = difference(_all(db, "account", Account), {a.id: a for a in snapshot.accounts})
            groups = difference(_all(db, "channel_group", Group), {g.id: g for g in snapshot.groups})
            old = _all(db, "stream", Stream)
            streams = difference(old, {s.id: s for s in snapshot.streams})
            guard(len(old), len(streams.removed), max_drop, force)
            channels = difference(_all(db, "channel", Channel), {c.id: c for c in snapshot.channels})
            _carry_history(db, old, streams.added)
            for table, kind in (("account", accounts), ("channel_group", groups)):
                db.executemany(f"DELETE FROM {table} WHERE id = ?", [(i,) for i in kind.removed])  # noqa: S608
                db.executemany(
                    f"INSERT OR REPLACE INTO {table} VALUES (?, ?)",  # noqa: S608
                    [(r.id, r.model_dump_json()) for r in kind.written],
                )
            db.executemany("DELETE FROM stream WHERE id = ?", [(i,) for i in streams.removed])
            db.executemany(
                "INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?, ?)",
                [(s.id, s.account_id, s.group_id, s.url_hash, s.model_dump_json()) for s in streams.written],
            )
            gone = [(i,) for i in channels.removed] + [(c.id,) for c in channels.changed]
            db.executemany("DELETE FROM member WHERE channel_id = ?", gone)
            db.executemany("DELETE FROM channel WHERE id = ?", gone)
            for channel in channels.written:
                _put_channel(db, channel)
            db.execute("INSERT OR REPLACE INTO meta VALUES ('refreshed_at', ?)", (datetime.now(UTC).isoformat(),))
        kinds = {"accounts": accounts, "groups": groups, "streams": streams, "channels": channels}
        return RefreshReport(
            added={name: len(kind.added) for name, kind in kinds.items()},
            changed={name: len(kind.changed) for name, kind in kinds.items()},
            removed={name: len(kind.removed) for name, kind in kinds.items()},
            broken=snapshot.broken,
            elapsed_s=round(time.monotonic() - started, 3),
        )

    def refreshed_at(self) -> datetime | None:
        row = self._one("SELECT value FROM meta WHERE name = 'refreshed_at'")
        return datetime.fromisoformat(row[0]) if row else None

    def accounts(self) -> list[Account]:
        return [Account.model_validate_json(row[0]) for row in self._rows("SELECT json FROM account ORDER BY id")]

    def account(self, account_id: int) -> Account | None:
        row = self._one("SELECT json FROM account WHERE id = ?", account_id)
        return Account.model_validate_json(row[0]) if row else None

    def groups(self) -> list[Group]:
        return [Group.model_validate_json(row[0]) for row in self._rows("SELECT json FROM channel_group ORDER BY id")]

    def stream(self, stream_id: int) -> Stream | None:
        return self.streams([stream_id]).get(stream_id)

    def streams(self, stream_ids: Iterable[int]) -> dict[int, Stream]:
        found = self._of_ids("SELECT id, json FROM stream", "id", stream_ids)
        return {row[0]: Stream.model_validate_json(row[1]) for row in found}

    def stream_ids(self) -> list[int]:
        return self._ids("SELECT id FROM stream ORDER BY id")

    def streams_of_account(self, account_id: int) -> list[int]:
        return self._ids("SELECT id FROM stream WHERE account_id = ? ORDER BY id", account_id)

    def streams_of_group(self, group_id: int) -> list[int]:
        return self._ids("SELECT id FROM stream WHERE group_id = ? ORDER BY id", group_id)

    def streams_of_url(self, url_hash: str) -> list[int]:
        return self._ids("SELECT id FROM stream WHERE url_hash = ? ORDER BY id", url_hash)

    def channel(self, channel_id: int) -> Channel | None:
        row = self._one("SELECT json FROM channel WHERE id = ?", channel_id)
        return Channel.model_validate_json(row[0]) if row else None

    def channels(self, channel_ids: Iterable[int] | None = None) -> list[Channel]:
        if channel_ids is None:
            rows = self._rows("SELECT json FROM channel ORDER BY id")
            return [Channel.model_validate_json(row[0]) for row in rows]
        found = self._of_ids("SELECT id, json FROM channel", "id", channel_ids)
        return [Channel.model_validate_json(row[1]) for row in sorted(found)]

    def channels_of_group(self, group_id: int) -> list[int]:
        return self._ids("SELECT id FROM channel WHERE group_id = ? ORDER BY id", group_id)

    def channels_of_stream(self, stream_id: int) -> list[int]:
        return self._ids("SELECT channel_id FROM member WHERE stream_id = ? ORDER BY 1", stream_id)

    def reorder(self, channel_id: int, stream_ids: Sequence[int]) -> None:
        with self._db() as db:
            row = db.execute("SELECT json FROM channel WHERE id = ?", (channel_id,)).fetchone()
            if row:
                db.execute("DELETE FROM member WHERE channel_id = ?", (channel_id,))
                channel = Channel.model_validate_json(row[0])
                _put_channel(db, channel.model_copy(update={"stream_ids": tuple(stream_ids)}))

    # -- results -----------------------------------------------------------------------------
    def record(self, result: Result) -> None:
        with self._db() as db:
            _record(db, result)

    def result(self, stream_id: int) -> Result | None:
        return self.results([stream_id]).get(stream_id)

    def results(self, stream_ids: Iterable[int]) -> dict[int, Result]:
        found = self._of_ids("SELECT stream_id, json FROM result", "stream_id", stream_ids)
        return {row[0]: Result.model_validate_json(row[1]) for row in found}

    def history(self, stream_id: int, limit: int = 50) -> list[Result]:
        rows = self._rows(
            "SELECT json FROM history WHERE stream_id = ? ORDER BY checked_at DESC LIMIT ?", stream_id, limit
        )
        return [Result.model_validate_json(row[0]) for row in rows]

    def streams_of_verdict(self, verdict: Verdict) -> list[int]:
        return self._ids("SELECT stream_id FROM result WHERE verdict = ? ORDER BY stream_id", verdict)

    def checked_since(self, since: datetime) -> list[int]:
        return self._ids("SELECT stream_id FROM result WHERE checked_at >= ? ORDER BY stream_id", since.timestamp())

    def dead_memory(self, stream_ids: Iterable[int]) -> dict[int, DeadMemory]:
        found = self._of_ids("SELECT stream_id, json FROM dead", "stream_id", stream_ids)
        return {row[0]: DeadMemory.model_validate_json(row[1]) for row in found}

    def remember_dead(self, stream_id: int, memory: DeadMemory) -> None:
        with self._db() as db:
            db.execute("INSERT OR REPLACE INTO dead VALUES (?, ?)", (stream_id, memory.model_dump_json()))
            db.execute("DELETE FROM removed WHERE stream_id = ?", (stream_id,))
            db.executemany(
                "INSERT INTO removed VALUES (?, ?, ?)",
                [(channel, stream_id, position) for channel, position in memory.removed_from.items()],
            )

    def removed_streams(self, channel_id: int) -> dict[int, int]:
        return dict(self._rows("SELECT stream_id, position FROM removed WHERE channel_id = ?", channel_id))

    # -- runs --------------------------------------------------------------------------------
    def open_run(self, run: Run) -> None:
        with self._db() as db:
            for table in ("run", "run_stream", "run_channel", "run_wait"):
                db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run.run_id,))  # noqa: S608
            db.execute(
                "INSERT INTO run (run_id, started_at, json) VALUES (?, ?, ?)",
                (run.run_id, run.started_at.timestamp(), run.model_dump_json()),
            )
            db.executemany(
                "INSERT INTO run_stream (run_id, stream_id) VALUES (?, ?)", [(run.run_id, i) for i in run.stream_ids]
            )
            db.executemany(
                "INSERT INTO run_channel (run_id, channel_id) VALUES (?, ?)", [(run.run_id, i) for i in run.channels]
            )
            db.executemany(
                "INSERT INTO run_wait VALUES (?, ?, ?)",
                [(run.run_id, channel, stream) for channel, streams in run.channels.items() for stream in streams],
            )

    def settle(self, run_id: str, result: Result) -> list[int]:
        with self._db() as db:
            _record(db, result)
            db.execute(
                "UPDATE run_stream SET verdict = ?, reason = ? WHERE run_id = ? AND stream_id = ?",
                (result.verdict, result.reason, run_id, result.stream_id),
            )
            mine = db.execute(
                "DELETE FROM run_wait WHERE run_id = ? AND stream_id = ? RETURNING channel_id",
                (run_id, result.stream_id),
            ).fetchall()
            return sorted(
                channel
                for (channel,) in mine
                if not db.execute(
                    "SELECT 1 FROM run_wait WHERE run_id = ? AND channel_id = ? LIMIT 1", (run_id, channel)
                ).fetchone()
            )

    def unfinished_channels(self, run_id: str) -> list[int]:
        return self._ids(
            "SELECT channel_id FROM run_channel WHERE run_id = ? AND change IS NULL ORDER BY channel_id", run_id
        )

    def unsettled_streams(self, run_id: str) -> list[int]:
        return self._ids("SELECT stream_id FROM run_stream WHERE run_id = ? AND verdict IS NULL", run_id)

    def finish_channel(self, change: ChannelChange) -> None:
        text = change.model_dump_json()
        with self._db() as db:
            db.execute(
                "INSERT OR REPLACE INTO change VALUES (?, ?, ?)", (change.channel_id, change.at.timestamp(), text)
            )
            db.execute(
                "UPDATE run_channel SET change = ? WHERE run_id = ? AND channel_id = ?",
                (text, change.run_id, change.channel_id),
            )

    def close_run(self, run_id: str, summary: dict[str, Any], at: datetime) -> None:
        with self._db() as db:
            db.execute(
                "UPDATE run SET finished_at = ?, summary = ? WHERE run_id = ?",
                (at.timestamp(), json.dumps(summary), run_id),
            )

    def run(self, run_id: str) -> RunState | None:
        row = self._one("SELECT json, finished_at, summary FROM run WHERE run_id = ?", run_id)
        if row is None:
            return None
        streams = self._rows("SELECT stream_id, verdict, reason FROM run_stream WHERE run_id = ?", run_id)
        changed = self._rows(
            "SELECT channel_id, change FROM run_channel WHERE run_id = ? AND change IS NOT NULL", run_id
        )
        return RunState(
            run=Run.model_validate_json(row[0]),
            streams={stream: verdict or "pending" for stream, verdict, _ in streams},
            verdicts=dict(Counter(verdict for _, verdict, _ in streams if verdict)),
            reasons=dict(Counter(reason for _, _, reason in streams if reason)),
            finished_channels={channel: ChannelChange.model_validate_json(text) for channel, text in changed},
            finished_at=datetime.fromtimestamp(row[1], UTC) if row[1] else None,
            summary=json.loads(row[2]) if row[2] else None,
        )

    def runs(self, limit: int = 20) -> list[str]:
        return [row[0] for row in self._rows("SELECT run_id FROM run ORDER BY started_at DESC LIMIT ?", limit)]

    def last_change(self, channel_id: int) -> ChannelChange | None:
        row = self._one("SELECT json FROM change WHERE channel_id = ? ORDER BY at DESC LIMIT 1", channel_id)
        return ChannelChange.model_validate_json(row[0]) if row else None

    def prune(self, *, history_per_stream: int = 50, runs: int = 200) -> dict[str, int]:
        with self._db() as db:
            old = db.execute(
                "DELETE FROM history WHERE (stream_id, checked_at, run_id) IN (SELECT stream_id, checked_at, run_id "
                "FROM (SELECT *, row_number() OVER (PARTITION BY stream_id ORDER BY checked_at DESC) AS place "
                "FROM history) WHERE place > ?)",
                (history_per_stream,),
            ).rowcount
            gone = db.execute("SELECT run_id FROM run ORDER BY started_at DESC LIMIT -1 OFFSET ?", (runs,)).fetchall()
            for table in ("run", "run_stream", "run_channel", "run_wait"):
                db.executemany(f"DELETE FROM {table} WHERE run_id = ?", gone)  # noqa: S608
            db.execute("DELETE FROM progress WHERE until < ?", (time.time(),))
        return {"history": old, "runs": len(gone)}

    # -- live progress -----------------------------------------------------------------------
    def progress(self, stream_id: int, state: dict[str, Any] | None) -> None:
        with self._db() as db:
            if state is None:
                db.execute("DELETE FROM progress WHERE stream_id = ?", (stream_id,))
            else:
                row = (stream_id, time.time() + PROGRESS_SECONDS, json.dumps(state))
                db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, ?)", row)

    def running(self) -> dict[int, dict[str, Any]]:
        rows = self._rows("SELECT stream_id, json FROM progress WHERE until >= ?", time.time())
        return {row[0]: json.loads(row[1]) for row in rows}

    # -- the whole, to fill an empty Redis ---------------------------------------------------
    def library(self) -> Snapshot:
        with self._db() as db:
            return Snapshot(
                accounts=list(_all(db, "account", Account).values()),
                groups=list(_all(db, "channel_group", Group).values()),
                streams=list(_all(db, "stream", Stream).values()),
                channels=list(_all(db, "channel", Channel).values()),
            )

    def latest(self) -> list[Result]:
        return [Result.model_validate_json(row[0]) for row in self._rows("SELECT json FROM result")]

    # -- the journal: what was taken while Redis was away --------------------------------------
    def note(self, kind: str, record: dict[str, Any]) -> None:
        with self._db() as db:
            db.execute("INSERT INTO journal (kind, json) VALUES (?, ?)", (kind, json.dumps(record)))

    def journal(self, limit: int = 1000) -> list[tuple[int, str, dict[str, Any]]]:
        """The oldest entries: (number, kind, record)."""
        rows = self._rows("SELECT number, kind, json FROM journal ORDER BY number LIMIT ?", limit)
        return [(number, kind, json.loads(text)) for number, kind, text in rows]

    def forget(self, number: int) -> None:
        """Drop a journal entry that is merged."""
        with self._db() as db:
            db.execute("DELETE FROM journal WHERE number = ?", (number,))

    # -- reading -----------------------------------------------------------------------------
    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._db() as db:
            return db.execute(sql, values).fetchall()

    def _one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        return next(iter(self._rows(sql, *values)), None)

    def _ids(self, sql: str, *values: Any) -> list[int]:
        return [row[0] for row in self._rows(sql, *values)]

    def _of_ids(self, sql: str, column: str, ids: Iterable[int]) -> list[tuple[Any, ...]]:
        wanted = json.dumps(list(ids))
        return self._rows(f"{sql} WHERE {column} IN (SELECT value FROM json_each(?))", wanted)


def _all(db: sqlite3.Connection, table: str, kind: type[R]) -> dict[int, R]:
    return {row[0]: kind.model_validate_json(row[1]) for row in db.execute(f"SELECT id, json FROM {table}")}  # noqa: S608


def _put_channel(db: sqlite3.Connection, channel: Channel) -> None:
    db.execute(
        "INSERT OR REPLACE INTO channel VALUES (?, ?, ?)", (channel.id, channel.group_id, channel.model_dump_json())
    )
    db.executemany(
        "INSERT OR IGNORE INTO member VALUES (?, ?)", [(channel.id, stream) for stream in channel.stream_ids]
    )


def _record(db: sqlite3.Connection, result: Result) -> None:
    at, text = result.checked_at.timestamp(), result.model_dump_json()
    db.execute(
        "INSERT INTO result VALUES (?, ?, ?, ?) ON CONFLICT (stream_id) DO UPDATE SET checked_at = excluded.checked_at, "
        "verdict = excluded.verdict, json = excluded.json WHERE excluded.checked_at >= result.checked_at",
        (result.stream_id, at, result.verdict, text),
    )
    db.execute("INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)", (result.stream_id, at, result.run_id or "", text))


def _carry_history(db: sqlite3.Connection, old: dict[int, Stream], added: list[Stream]) -> None:
    """A stream that came back under another id keeps its results, found by the URL's hash."""
    by_hash = {stream.url_hash: stream.id for stream in old.values() if stream.url}
    for stream in added:
        former = by_hash.get(stream.url_hash) if stream.url else None
        if former is not None and former != stream.id:
            db.execute(
                "INSERT OR IGNORE INTO result SELECT ?, checked_at, verdict, json_set(json, '$.stream_id', ?) "
                "FROM result WHERE stream_id = ?",
                (stream.id, stream.id, former),
            )
            db.execute(
                "INSERT OR IGNORE INTO history SELECT ?, checked_at, run_id, json_set(json, '$.stream_id', ?) "
                "FROM history WHERE stream_id = ?",
                (stream.id, stream.id, former),
            )
            db.execute("INSERT OR IGNORE INTO dead SELECT ?, json FROM dead WHERE stream_id = ?", (stream.id, former))
