"""Storing one result, in a run or without one."""

from __future__ import annotations

from typing import cast

from redis.client import Pipeline

from streamflow.records import Result
from streamflow.udi import retention
from streamflow.udi.redis.connection import EVENTS, PREFIX, Connection
from streamflow.udi.redis.packing import packed


class Settling:
    """The script that stores a result as its stream's latest and in its history, and settles the stream in a run."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._script = connection.script("settle")

    def settle(self, result: Result, run_id: str) -> list[int]:
        """Store a result and settle its stream in a run.

        :returns: the ids of the run's channels that are ready to be finished, sorted.
        """
        keys, arguments = _call(result, run_id)
        with self._connection.commands():
            return sorted(cast("list[int]", self._script(keys, arguments)))

    def add(self, batch: Pipeline, result: Result, run_id: str | None = None) -> None:
        """Add the same to a pipeline; without ``run_id`` only the result is stored."""
        keys, arguments = _call(result, run_id)
        self._script(keys, arguments, client=batch)


def _call(result: Result, run_id: str | None) -> tuple[list[str], list[str | bytes | float]]:
    """Return the keys and the arguments of the script."""
    keys = [
        PREFIX + "result",
        PREFIX + "checked",
        f"{PREFIX}history:{result.stream_id}",
        EVENTS,
        f"{PREFIX}run:{run_id}:streams",
        f"{PREFIX}run:{run_id}:channels",
    ]
    arguments: list[str | bytes | float] = [
        result.stream_id,
        result.checked_at.timestamp(),
        result.verdict,
        result.reason or "",
        packed(result),
        result.model_dump_json(exclude={"extra"}),
        retention.HISTORY,
        PREFIX + "verdict:",
        int(run_id is not None),
    ]
    return keys, arguments
