"""A client of the supervisor: starts processes, watches them, and ends them with its own end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from streamflow.errors import StreamFlowError
from streamflow_stack import supervisor

# Every process of a stack carries this in its environment, so that a later start can find what is left of it.
MARK = "STREAMFLOW_STACK"


class StackError(StreamFlowError):
    """A process of the stack did not start, or ended; the message names its log."""


@dataclass(frozen=True)
class Ended:
    """A process that ended by itself: its exit status, when (monotonic), and after how many seconds."""

    status: int
    at: float
    lived: float


class Processes:
    """The processes of one home. Ends them all on exit, and, through the supervisor, when this process dies."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.logs = home / "logs"
        self.pids: dict[str, int] = {}
        self.ended: dict[str, Ended] = {}
        self._started: dict[str, float] = {}
        self._changed = threading.Condition()
        supervisor.prctl(supervisor.PR_SET_CHILD_SUBREAPER, 1)
        end_leftovers(home)
        self._supervisor = subprocess.Popen(
            [sys.executable, supervisor.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {MARK: str(home)},
            start_new_session=True,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True, name="supervisor").start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], *, last: bool = False) -> Path:
        """Start a process with its output in a log file of its name; returns the log's path."""
        log = self.logs / f"{name}.log"
        with self._changed:
            self.ended.pop(name, None)
            self.pids.pop(name, None)
        self._tell(
            {"name": name, "argv": list(argv), "env": dict(env) | {MARK: str(self.home)}, "log": str(log), "last": last}
        )
        with self._changed:
            if not self._changed.wait_for(lambda: name in self.pids, timeout=15):
                raise StackError(f"{name} could not be started; see {log}")
        return log

    def stop(self, name: str) -> None:
        """End one process and all it started."""
        self._tell({"stop": name})

    def check(self, *, but: Collection[str] = ()) -> None:
        """Raise StackError when a process has ended by itself, ``but`` for those named."""
        with self._changed:
            for name, ended in self.ended.items():
                if name not in but:
                    log = self.logs / f"{name}.log"
                    raise StackError(f"{name} ended with status {ended.status}; the end of {log}:\n{tail(log)}")

    def close(self) -> None:
        """End everything, the supervisor last."""
        if self._supervisor.stdin and not self._supervisor.stdin.closed:
            self._supervisor.stdin.close()
        try:
            self._supervisor.wait(timeout=4 * supervisor.GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        end_leftovers(self.home)

    def _tell(self, order: dict[str, object]) -> None:
        if self._supervisor.poll() is not None or self._supervisor.stdin is None:
            raise StackError("the supervisor of the stack has ended")
        self._supervisor.stdin.write(json.dumps(order) + "\n")
        self._supervisor.stdin.flush()

    def _listen(self) -> None:
        for line in self._supervisor.stdout or ():
            message = json.loads(line)
            with self._changed:
                now = time.monotonic()
                if "started" in message:
                    self.pids[message["started"]], self._started[message["started"]] = message["pid"], now
                else:
                    lived = now - self._started.get(message["ended"], now)
                    self.ended[message["ended"]] = Ended(message["status"], now, lived)
                self._changed.notify_all()


def end_leftovers(home: Path) -> None:
    """End processes of this user that an earlier stack of this home left behind."""
    left = []
    for process in psutil.process_iter():
        try:
            mine = process.pid != os.getpid() and process.uids().real == os.getuid()
            if mine and (process.environ().get(MARK) == str(home) or _is_server_of(home, process)):
                left.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    supervisor.end(left)


def _is_server_of(home: Path, process: psutil.Process) -> bool:
    # A Redis that writes its title over its environment is known by where it works.
    return process.name().startswith(("redis-server", "valkey-server")) and process.cwd() == str(home / "redis")


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(empty)"
