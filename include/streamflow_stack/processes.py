"""A client of the supervisor: starts processes, watches them, and ends them with its own end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from streamflow.errors import StreamFlowError
from streamflow_stack import supervisor
from streamflow_stack.restart import RestartPolicy
from streamflow_stack.supervisor import Order

# Every process of a stack carries this variable, so that a later start finds the processes that a crash left.
MARK = "STREAMFLOW_STACK"
START_SECONDS = 15.0
PRIVATE = 0o077


class StackError(StreamFlowError):
    """A part of the stack did not start, or ended; the message names its log."""


@dataclass(frozen=True)
class Link:
    """The supervisor of a home, as its parent reaches it.

    :param pid: its process.
    :param orders: descriptor of the pipe to its standard input.
    :param reports: descriptor of the pipe from its standard output.
    """

    pid: int
    orders: int
    reports: int


def _started(home: Path) -> Link:
    """Start a supervisor."""
    orders_end, orders = os.pipe()
    reports, reports_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", supervisor.__name__],
        stdin=orders_end,
        stdout=reports_end,
        env=os.environ | {MARK: str(home), "PYTHONPATH": str(Path(__file__).parents[1])},
        start_new_session=True,
        # Logs and databases may hold passwords: only their owner reads them.
        umask=PRIVATE,
    )
    os.close(orders_end)
    os.close(reports_end)
    return Link(process.pid, orders, reports)


class Processes:
    """The processes of one home.

    They end with the block, and, through the supervisor, when this process dies.
    """

    def __init__(self, home: Path, link: Link | None = None) -> None:
        """Start a supervisor, or take over the one of ``link``."""
        self.home = home
        self.logs = home / "logs"
        self.pids: dict[str, int] = {}
        # The exit status of each process that ended by itself and is not started again.
        self.ended: dict[str, int] = {}
        self._news: list[str] = []
        self._changed = threading.Condition()
        if link is None:
            supervisor.adopt_orphans()
            end_leftovers(home)
            link = _started(home)
        self.link = link
        self._supervisor = psutil.Process(link.pid)
        self._orders = os.fdopen(link.orders, "w", encoding="utf-8")
        self._reports = os.fdopen(link.reports, encoding="utf-8")
        threading.Thread(target=self._listen, daemon=True, name="supervisor").start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        last: bool = False,
        restart: RestartPolicy | None = None,
    ) -> Path:
        """Start a process whose output goes to a log file of its name.

        :param last: end it after the processes without this mark.
        :param restart: when to start it again after it ended by itself; None never does.
        :returns: the log's path.
        :raises StackError: The process could not be started.
        """
        log = self.logs / f"{name}.log"
        with self._changed:
            self.ended.pop(name, None)
            self.pids.pop(name, None)
        order = Order(name, list(argv), dict(env) | {MARK: str(self.home)}, str(log), last, restart)
        self._send({"start": asdict(order)})
        with self._changed:
            if not self._changed.wait_for(lambda: name in self.pids or name in self.ended, timeout=START_SECONDS):
                raise StackError(f"{name} could not be started; see {log}")
        return log

    def stop(self, name: str) -> None:
        """End a process with all its descendants."""
        self._send({"stop": name})

    def check(self) -> None:
        """Raise StackError when a process has ended by itself and is not started again."""
        with self._changed:
            ended = dict(self.ended)
        if not ended:
            return
        name, status = next(iter(ended.items()))
        log = self.logs / f"{name}.log"
        raise StackError(f"{name} {how_ended(status)}; the end of {log}:\n{tail(log)}")

    def news(self) -> list[str]:
        """Return a sentence for each restart since the last call."""
        with self._changed:
            news, self._news = self._news, []
        return news

    def close(self) -> None:
        """End everything, the supervisor last."""
        with suppress(BrokenPipeError):
            self._orders.close()
        _, alive = psutil.wait_procs([self._supervisor], timeout=4 * supervisor.GRACE_SECONDS)
        for process in alive:
            process.kill()
            process.wait()
        end_leftovers(self.home)

    def _send(self, order: Mapping[str, object]) -> None:
        try:
            self._orders.write(json.dumps(order) + "\n")
            self._orders.flush()
        except BrokenPipeError:
            raise StackError("the supervisor of the stack has ended") from None

    def _listen(self) -> None:
        for line in self._reports:
            message = json.loads(line)
            with self._changed:
                if "started" in message:
                    self.pids[message["started"]] = message["pid"]
                elif message["restart_in"] is None:
                    self.ended[message["ended"]] = message["status"]
                else:
                    self._news.append(
                        f"{message['ended']} {how_ended(message['status'])} and starts again in "
                        f"{message['restart_in']:g} s; its log: {self.logs / message['ended']}.log"
                    )
                self._changed.notify_all()


def end_leftovers(home: Path) -> None:
    """End the processes of this user that an earlier stack of a home left behind."""
    leftovers = []
    for process in psutil.process_iter():
        try:
            own = process.pid != os.getpid() and process.uids().real == os.getuid()
            if own and (process.environ().get(MARK) == str(home) or _is_redis_of(home, process)):
                leftovers.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    supervisor.end(leftovers)


def _is_redis_of(home: Path, process: psutil.Process) -> bool:
    # A Redis that writes its title over its environment is recognised by its working directory.
    return process.name().startswith(("redis-server", "valkey-server")) and process.cwd() == str(home / "redis")


def how_ended(status: int) -> str:
    """Describe the end of a process.

    :param status: the exit status; below zero the number of the signal that ended it.
    """
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(empty)"
