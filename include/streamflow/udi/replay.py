"""Bringing a Redis store up to the state of a file store: one write of the journal, or everything."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from streamflow.records import ChannelChange, Result
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.sqlite.store import FileStore

RUNS = 200


def replay(redis: RedisStore, file: FileStore, kind: str, record: dict[str, Any]) -> None:
    """Do one write of the journal again.

    Results, finished channels and ended runs are facts: each is kept once, however often it is told. All else is
    brought over as it is in the file store now, which an entry that waited long cannot set back; the file store waits
    meanwhile, lest a newer state reach Redis first.
    """
    match kind:
        case "library":
            redis.publish_library(file.library(), at=file.refreshed_at())
        case "run":
            with file.writing():
                _take_over(redis, file, record["run_id"])
        case "result":
            redis.record(Result.model_validate(record["result"]))
        case "settle":
            redis.settle(record["run_id"], Result.model_validate(record["result"]))
        case "channel":
            redis.finish_channel(ChannelChange.model_validate(record["change"]))
        case "close":
            redis.close_run(record["run_id"], record["summary"], datetime.fromisoformat(record["at"]))
        case "reorder":
            with file.writing():
                channel = file.channel(record["channel_id"])
                if channel:
                    redis.reorder(channel.id, channel.stream_ids)
        case "dead":
            with file.writing():
                for stream_id, memory in file.dead_memory([record["stream_id"]]).items():
                    redis.remember_dead(stream_id, memory)
        case _:
            raise ValueError(f"a journal entry of an unknown kind: {kind}")


def fill(redis: RedisStore, file: FileStore) -> None:
    """Give a Redis without data all that the file store has; until that is done it does not count as filled."""
    redis.clear()
    refreshed_at = file.refreshed_at()
    if refreshed_at:
        redis.publish_library(file.library(), at=refreshed_at)
    redis.refill(file.pasts(), file.memories().items())
    redis.refill_gone(file.gone())
    for change in file.all_changes():
        redis.finish_channel(change)
    for run_id in reversed(file.runs(RUNS)):
        _take_over(redis, file, run_id)
    redis.mark_filled()


def _take_over(redis: RedisStore, file: FileStore, run_id: str) -> None:
    state = file.run(run_id)
    if state:
        redis.take_over(state, file.settled(run_id))
