"""The journaled writes: what the journal holds of each, and how to repeat it on Redis.

Results, finished channels and ended runs are facts: the entry holds them, and Redis stores each once, however often it
is repeated. Of everything else, the entry says only what changed, and its present state is copied from the file store.
An entry that waited long can therefore not restore an older state. The file store is locked while a state is copied, so
that no newer state can reach Redis before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from streamflow.records import ChannelChange, Result
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.sqlite.store import FileStore

Record: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Write:
    """A method of a port whose calls are journaled.

    ``record`` makes the record of the journal's entry from the arguments of the call. ``is_alone`` excludes refreshes
    during the call.
    """

    kind: str
    record: Callable[..., Record]
    is_alone: bool = False


WRITES = {
    "library.reorder": Write("reorder", lambda channel_id, *_, **__: {"channel_id": channel_id}, is_alone=True),
    "results.remember_dead": Write("dead", lambda stream_id, *_, **__: {"stream_id": stream_id}),
    "runs.open": Write("run", lambda run: {"run_id": run.run_id}),
    "runs.settle": Write("settle", lambda run_id, result: {"run_id": run_id, "result": result.model_dump(mode="json")}),
    "runs.finish_channel": Write("channel", lambda change: {"change": change.model_dump(mode="json")}),
    "runs.close": Write(
        "close", lambda run_id, summary, at: {"run_id": run_id, "summary": summary, "at": at.isoformat()}
    ),
}


def replay(redis: RedisStore, file: FileStore, kind: str, record: Record) -> None:
    """Repeat one write of the journal on Redis."""
    match kind:
        case "library":
            redis.publishing.publish(file.publishing.texts(), at=file.library.refreshed_at())
        case "run":
            with file.writing():
                copy_run(redis, file, record["run_id"])
        case "settle":
            redis.runs.settle(record["run_id"], Result.model_validate(record["result"]))
        case "channel":
            redis.runs.finish_channel(ChannelChange.model_validate(record["change"]))
        case "close":
            redis.runs.close(record["run_id"], record["summary"], datetime.fromisoformat(record["at"]))
        case "reorder":
            with file.writing():
                channel = file.library.channel(record["channel_id"])
                if channel:
                    redis.library.reorder(channel.id, channel.stream_ids)
        case "dead":
            with file.writing():
                for stream_id, memory in file.results.dead_memory([record["stream_id"]]).items():
                    redis.results.remember_dead(stream_id, memory)
        case _:
            raise ValueError(f"the journal has an entry of an unknown kind: {kind}")


def copy_run(redis: RedisStore, file: FileStore, run_id: str) -> None:
    """Copy the state of a run to Redis."""
    state = file.runs.state(run_id)
    if state:
        redis.runs.take_over(state, file.runs.settled(run_id))
