"""Checks as tasks run them, without Airflow: in this process, or in worker processes that a test may kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

from airflow.sdk.exceptions import TaskDeferred
from redis import Redis

from account_limiter import DEFAULT_PREFIX, Limiter, connect
from account_limiter.airflow.trigger import SlotTrigger
from stream_tasks import resources
from stream_tasks.check import CheckStream

PARAMS: dict[str, Any] = {
    "channel_ids": None, "group_ids": None, "account_ids": None, "stream_ids": None, "force": True, "mode": "auto",
    "sample_seconds": 0.5, "write_back": True, "chain": None,
}  # fmt: skip
BEGUN, DONE = "begun", "done"


def forget_connections(redis: Redis) -> None:
    """Let the limiter know no connection of earlier runs, as after hours.

    A provider that refuses a stream seconds after another was closed seems to count closed connections.
    """
    redis.delete(*redis.scan_iter(match=f"{DEFAULT_PREFIX}*"))
    Limiter(redis).open_now()


def check(stream_id: int, run_id: str, params: Mapping[str, Any] = PARAMS, *, try_number: int = 1) -> None:
    """Check one stream of a run, as one try of its task does, from each deferral to the next."""
    instance = SimpleNamespace(
        id=uuid.uuid4(), dag_id="check_streams", run_id=run_id, map_index=0, start_date=datetime.now(UTC),
        try_number=try_number, max_tries=2,
    )  # fmt: skip
    context: Any = {"ti": instance, "run_id": run_id, "params": dict(params)}
    step = partial(_task(stream_id).execute, context)
    while True:
        try:
            step()
        except TaskDeferred as deferred:
            trigger = deferred.trigger
            assert isinstance(trigger, SlotTrigger)
            time.sleep(max(trigger.delay, 0.05))
            # Another process resumes a deferred task.
            event = {"status": "granted", "reason": "", "rank": trigger.rank}
            step = partial(_task(stream_id).resume, context, event, **deferred.kwargs or {})
        else:
            return


def _task(stream_id: int) -> CheckStream:
    return CheckStream(task_id="check", stream_id=stream_id, retries=2)


class Worker:
    """A process that checks one stream after the other; the environment names its home and its source.

    :param redis: path of the socket of Redis.
    """

    def __init__(self, redis: str, run_id: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.checks", redis, run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def begin(self, stream_id: int, try_number: int = 1) -> None:
        """Let the worker begin a check."""
        assert self._process.stdin
        print(json.dumps([stream_id, try_number]), file=self._process.stdin, flush=True)
        self._expect(BEGUN)

    def wait(self) -> None:
        """Wait for the end of the check."""
        self._expect(DONE)

    def kill(self) -> None:
        """End the process as a loss of power would."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.communicate(timeout=20)

    def _expect(self, word: str) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.strip() == word:
                return
        raise AssertionError(f"the worker ended before it was {word}")


def main() -> None:
    """Check the streams that standard input names."""
    path, run_id = sys.argv[1:]
    resources.connect = lambda: connect(unix_socket_path=path)  # type: ignore[attr-defined]
    for line in sys.stdin:
        stream_id, try_number = json.loads(line)
        print(BEGUN, flush=True)
        check(stream_id, run_id, try_number=try_number)
        print(DONE, flush=True)


if __name__ == "__main__":
    main()
