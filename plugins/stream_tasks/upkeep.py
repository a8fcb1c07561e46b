"""Upkeep: merging the file store, and pruning results, pictures and logs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from airflow.configuration import conf

from stream_tasks import resources
from streamflow import config, names, retention, thumbnails


def tidy() -> dict[str, Any]:
    """Merge the writes that only the file store has, and prune the UDI, pictures and old logs.

    :returns: the number of merged writes, pruned records by kind, removed pictures and removed logs.
    """
    with resources.store() as store:
        merged = store.merge()
        pruned = store.prune()
    return {"merged": merged, "pruned": pruned, **prune_files()}


def prune_files() -> dict[str, int]:
    """Prune the pictures and the old logs of this machine, and return the numbers of removed files."""
    logs = Path(conf.get_mandatory_value("logging", "base_log_folder"))
    days = retention.keep_days()
    folders = [logs] if days else [logs / f"dag_id={dag}" for dag in names.DAGS] + list(logs.glob("dag_id=check_*"))
    removed = sum(prune_logs(folder, days or retention.DEFAULT_DAYS) for folder in folders)
    return {"pictures": thumbnails.prune(config.home()), "logs": removed}


def prune_logs(folder: Path, days: float) -> int:
    """Remove log files older than ``days`` and the folders that become empty; return the number of files."""
    oldest = time.time() - days * 86_400
    removed = 0
    for path, _, files in os.walk(folder, topdown=False):
        for name in files:
            file = Path(path, name)
            if file.lstat().st_mtime < oldest:
                file.unlink()
                removed += 1
        if Path(path) != folder and not any(Path(path).iterdir()):
            Path(path).rmdir()
    return removed
