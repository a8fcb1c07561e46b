"""Filling a Redis that has no data from the file store."""

from __future__ import annotations

from streamflow.udi import bounds
from streamflow.udi.journal import copy_run
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.sqlite.store import FileStore


def fill(redis: RedisStore, file: FileStore) -> None:
    """Copy everything from the file store. Redis counts as filled only after the end."""
    redis.clear()
    refreshed_at = file.library.refreshed_at()
    if refreshed_at:
        redis.publishing.publish(file.publishing.texts(), at=refreshed_at)
    redis.results.refill(file.results.pasts(), file.results.memories().items())
    redis.results.add_playbacks(file.results.all_playbacks())
    redis.publishing.refill_gone(file.publishing.gone())
    for change in file.runs.all_changes():
        redis.runs.finish_channel(change)
    for run_id in reversed(file.runs.newest(bounds.RUNS)):
        copy_run(redis, file, run_id)
    # Another machine may fill a Redis that is lost again right after this; its filling lacks what this machine has.
    file.remember_filling(redis.mark_filled())
