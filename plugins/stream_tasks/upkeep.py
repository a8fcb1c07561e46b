"""Upkeep: merging, pruning, and letting go of what nobody asks about."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

from stream_tasks import rooms
from streamflow import config

log = logging.getLogger(__name__)

LOG_DAYS = 30


def tidy() -> dict[str, Any]:
    """Merge what the file store took, prune the UDI and old logs; answers how much of each."""
    with rooms.store() as store:
        merged = store.merge()
        pruned = store.prune()
    return {"merged": merged, "pruned": pruned, "logs": prune_logs(config.home() / "airflow" / "logs", LOG_DAYS)}


def prune_logs(folder: Path, days: float) -> int:
    """Remove log files older than ``days``, and the folders that this leaves empty; answers how many files."""
    oldest = time.time() - days * 86_400
    removed = 0
    for where, _, files in os.walk(folder, topdown=False):
        for name in files:
            file = Path(where, name)
            if file.lstat().st_mtime < oldest:
                file.unlink()
                removed += 1
        if Path(where) != folder and not any(Path(where).iterdir()):
            Path(where).rmdir()
    return removed
