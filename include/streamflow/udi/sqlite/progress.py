"""Live progress of running probes, in SQLite."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from streamflow.udi import bounds
from streamflow.udi.sqlite.database import Database


class FileProgress:
    """Implements :class:`~streamflow.udi.ports.Progress`, without events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(self, stream_id: int, state: Mapping[str, Any] | None) -> None:
        """Store or delete the state of a stream's probe."""
        with self._database.writing() as db:
            if state is None:
                db.execute("DELETE FROM progress WHERE stream_id = ?", (stream_id,))
            else:
                row = (stream_id, time.time() + bounds.PROGRESS_SECONDS, json.dumps(state))
                db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, ?)", row)

    def running(self) -> dict[int, dict[str, Any]]:
        """Return the states that have not expired, by stream."""
        rows = self._database.rows("SELECT stream_id, json FROM progress WHERE until >= ?", time.time())
        return {stream: json.loads(state) for stream, state in rows}
