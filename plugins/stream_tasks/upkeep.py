"""Upkeep: merging, pruning, and letting go of what nobody asks about."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from airflow.configuration import conf

from stream_tasks import rooms
from streamflow import config, names, retention, thumbnails


def tidy() -> dict[str, Any]:
    """Merge what the file store took, prune the UDI, pictures and old logs; answers how much of each."""
    with rooms.store() as store:
        merged = store.merge()
        pruned = store.prune()
    logs = Path(conf.get_mandatory_value("logging", "base_log_folder"))
    days = retention.keep_days()
    folders = [logs] if days else [logs / f"dag_id={dag}" for dag in names.DAGS]
    removed = sum(prune_logs(folder, days or retention.DEFAULT_DAYS) for folder in folders)
    return {"merged": merged, "pruned": pruned, "pictures": thumbnails.prune(config.home()), "logs": removed}


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
