"""Storing one result, and settling its stream in a run."""

from __future__ import annotations

from typing import Literal, cast

from redis.client import Pipeline

from streamflow.records import Result, as_twin
from streamflow.udi import bounds
from streamflow.udi.redis.connection import Connection
from streamflow.udi.redis.keys import EVENTS, LAYOUT, LAYOUT_KEY, PREFIX
from streamflow.udi.redis.packing import packed

# ``last`` settles a stream whose twins are stored already, ``store`` stores a result without a run.
Mode = Literal["settle", "last", "store"]


class Settling:
    """The script that stores a result as its stream's latest and in its history, and settles the stream in a run."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._script = connection.script("settle")

    def settle(self, result: Result, run_id: str) -> list[int]:
        """Store a result, also for the stream's twins, and settle the stream in a run.

        :returns: the ids of the run's channels that are ready to be finished, sorted.
        :raises RedisEmpty: if Redis has lost its data; nothing is stored then.
        """
        keys, arguments = _call(result, run_id, "settle")
        with self._connection.commands():
            reply = cast("bytes | list[int]", self._script(keys, arguments))
        if isinstance(reply, list):
            return sorted(reply)
        with self._connection.batch() as batch:
            for twin in reply.split(b","):
                self.store(batch, as_twin(result, int(twin)))
            keys, arguments = _call(result, run_id, "last")
            self._script(keys, arguments, client=batch)
            return sorted(cast("list[int]", batch.execute()[-1]))

    def store(self, batch: Pipeline, result: Result) -> None:
        """Add the storing of a result to a pipeline."""
        keys, arguments = _call(result, "", "store")
        self._script(keys, arguments, client=batch)


def _call(result: Result, run_id: str, mode: Mode) -> tuple[list[str], list[str | bytes | float]]:
    """Return the keys and the arguments of the script."""
    keys = [
        PREFIX + "result",
        PREFIX + "checked",
        f"{PREFIX}history:{result.stream_id}",
        EVENTS,
        f"{PREFIX}run:{run_id}:streams",
        f"{PREFIX}run:{run_id}:channels",
        f"{PREFIX}run:{run_id}:twins",
        LAYOUT_KEY,
    ]
    arguments: list[str | bytes | float] = [
        result.stream_id,
        result.checked_at.timestamp(),
        result.verdict,
        result.reason or "",
        packed(result),
        result.model_dump_json(exclude={"extra"}),
        bounds.HISTORY,
        PREFIX + "verdict:",
        mode,
        LAYOUT,
    ]
    return keys, arguments
