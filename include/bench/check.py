"""Count how much of the code one check enters, and how often it calls Redis and SQLite.

Each figure is a JSON object a line: ``waiting``, a check whose channel waits for another stream, and ``finishing``, the
check that finishes the channel. Both probe a stream of the lab with a slot of a real limiter. Counted in the thread of
the task: ``modules`` of the project that are entered, ``module_switches`` (calls from one of them into another) and
``plugin_domain_crossings`` (those between ``plugins`` and ``include``). Counted in the process: ``redis_commands`` that
are sent, ``redis_round_trips`` that carry them, and ``sqlite_transactions``.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any
from unittest.mock import patch

from redis import Redis
from redis.connection import AbstractConnection

from bench.probe import kept_media
from lab import Account, Channel, Group, Lab, Library, Stream, running
from streamflow_stack.redis import temporary_server

CLIP = "sd480p30"
LIBRARY = Library(
    [Account(1, "One", "user", "password", max_streams=2)],
    [Stream(number, f"Stream {number}", 1, clip=CLIP) for number in (1, 2, 3)],
    [Channel(1, 1.0, "First", 10, (1,)), Channel(2, 2.0, "Second", 10, (2, 3))],
    [Group(10, "News")],
)
RUN = "bench"
PARAMS: dict[str, Any] = {"force": False, "sample_seconds": 1.0, "write_back": True}
ROOT = Path(__file__).parents[2]


class Calls:
    """The calls of one thread between modules of the project."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.switches = 0
        self.crossings = 0
        self._callers: list[str] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Note a call or a return; see :func:`sys.setprofile`."""
        module = _project_module(frame.f_code.co_filename)
        if module is None:
            return
        if event == "call":
            self._enter(module)
        elif event == "return" and self._callers:
            self._callers.pop()

    def _enter(self, module: str) -> None:
        caller = self._callers[-1] if self._callers else module
        self.modules.add(module)
        self.switches += module != caller
        self.crossings += _layer(module) != _layer(caller)
        self._callers.append(module)


def _project_module(file: str) -> str | None:
    """Return the file's path below the project, None for a file of another package."""
    if not file.startswith(str(ROOT)) or "site-packages" in file:
        return None
    path = file.removeprefix(f"{ROOT}/")
    return path if path.startswith(("plugins/", "include/streamflow/")) else None


def _layer(module: str) -> str:
    return module.partition("/")[0]


@contextmanager
def redis_counted(counts: Counter[str]) -> Iterator[None]:
    """Count the commands that this process sends, and the round trips that carry them."""
    send, pack = AbstractConnection.send_packed_command, AbstractConnection.pack_commands

    def sent(self: AbstractConnection, *args: Any, **options: Any) -> Any:
        counts["redis_commands"] += 1
        counts["redis_round_trips"] += 1
        return send(self, *args, **options)  # type: ignore[no-untyped-call]

    def packed(self: AbstractConnection, commands: Any) -> Any:
        pipelined = list(commands)
        counts["redis_commands"] += len(pipelined) - 1
        return pack(self, pipelined)  # type: ignore[no-untyped-call]

    with (
        patch.object(AbstractConnection, "send_packed_command", sent),
        patch.object(AbstractConnection, "pack_commands", packed),
    ):
        yield


@contextmanager
def sqlite_counted(counts: Counter[str]) -> Iterator[None]:
    """Count the transactions on connections to SQLite that are opened meanwhile."""

    def note(statement: str) -> None:
        counts["sqlite_transactions"] += statement.startswith("BEGIN")

    def connected(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(note)
        return connection

    connect = sqlite3.connect
    with patch.object(sqlite3, "connect", connected):
        yield


def counted(work: Callable[[], object]) -> dict[str, float]:
    """Run ``work`` and return the figures of the module's docstring."""
    counts: Counter[str] = Counter()
    calls = Calls()
    began = time.perf_counter()
    with redis_counted(counts), sqlite_counted(counts):
        sys.setprofile(calls)
        try:
            work()
        finally:
            sys.setprofile(None)
    return {
        "modules": len(calls.modules),
        "module_switches": calls.switches,
        "plugin_domain_crossings": calls.crossings,
        "redis_commands": counts["redis_commands"],
        "redis_round_trips": counts["redis_round_trips"],
        "sqlite_transactions": counts["sqlite_transactions"],
        "seconds": round(time.perf_counter() - began, 2),
    }


@contextmanager
def deployment(home: Path, lab: Lab) -> Iterator[Path]:
    """Run a Redis, and point this process' tasks to it and to the lab."""
    with temporary_server() as server:
        os.environ |= {
            "STREAMFLOW_HOME": str(home),
            "AIRFLOW_CONN_REDIS_DEFAULT": json.dumps({"conn_type": "redis", "host": str(server.socket)}),
            "DISPATCHARR_URL": lab.dispatcharr,
            "DISPATCHARR_API_KEY": lab.addresses()["api_key"],
        }
        yield server.socket


def check(stream_id: int) -> None:
    """Check a stream as a task does, without Airflow's runtime."""
    from stream_tasks.check import CheckStream

    ti = SimpleNamespace(
        id=uuid.uuid4(),
        dag_id="bench",
        run_id=RUN,
        map_index=0,
        start_date=datetime.now(UTC),
        try_number=1,
        max_tries=0,
    )
    context: Any = {"ti": ti, "run_id": RUN, "params": PARAMS}
    CheckStream(task_id="check", stream_id=stream_id).execute(context)


def main() -> None:
    """Print one JSON object for each kind of check."""
    with (
        tempfile.TemporaryDirectory() as home,
        running(LIBRARY, kept_media()) as lab,
        deployment(Path(home), lab) as socket,
    ):
        from account_limiter import Limiter
        from stream_tasks.plan import plan

        for stream in LIBRARY.streams:
            lab.url(stream)
        with Redis(unix_socket_path=str(socket)) as redis:
            plan(PARAMS, RUN)
            Limiter(redis).open_now()
            # Imports what is imported once, and asks for the viewers, as one check in two seconds does.
            check(1)
            for kind, stream_id in (("waiting", 2), ("finishing", 3)):
                redis.set("{streamflow}:viewers:count", "counted", px=10_000)
                figures = counted(lambda stream_id=stream_id: check(stream_id))  # type: ignore[misc]
                print(json.dumps({"bench": "check", "kind": kind} | figures), flush=True)


if __name__ == "__main__":
    main()
