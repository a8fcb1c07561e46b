"""The supervisor: the parent of every process of a stack, which ends them all when its own parent is gone.

It is run as a module and speaks JSON, one object a line. Standard input carries orders: ``{"start": {...}}`` with the
fields of :class:`Order`, and ``{"stop": name}``. Standard output carries reports: ``{"started": name, "pid": n}`` and
``{"ended": name, "status": n, "restart_in": seconds}``, with ``restart_in`` null for a process that stays ended.

The end of standard input, SIGTERM and SIGINT end every process, also those that left their process group: the
supervisor adopts all orphans below it (prctl(2), PR_SET_CHILD_SUBREAPER).
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from streamflow_stack.restart import RestartPolicy, Restarts

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = float(os.environ.get("STREAMFLOW_GRACE_SECONDS", "6"))
REAP_SECONDS = 0.5
# The status that a shell reports for a program that cannot be run (POSIX.1-2017, Shell Command Language, 2.8.2).
NOT_STARTED = 127


def adopt_orphans() -> None:
    """Become the parent of all orphans below this process.

    Only Linux can do that; elsewhere processes that leave their process group are not found.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(frozen=True)
class Order:
    """A process to start.

    :param log: the file that its output is appended to.
    :param last: end it after the processes without this mark.
    :param restart: when to start it again after it ended by itself; None never does.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: str
    last: bool = False
    restart: RestartPolicy | None = None


@dataclass
class _Supervised:
    order: Order
    restarts: Restarts | None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    # The moment of the next start, on the monotonic clock, while the process waits for one.
    due_at: float | None = None


class Supervisor:
    """Starts, restarts and ends processes."""

    def __init__(self) -> None:
        self._supervised: dict[str, _Supervised] = {}

    def start(self, order: Order) -> None:
        """Start a process and report it."""
        one = _Supervised(order, Restarts(order.restart) if order.restart else None)
        self._supervised[order.name] = one
        self._launch(one)

    def stop(self, name: str) -> None:
        """End a process with all its descendants, and do not start it again."""
        one = self._supervised.pop(name, None)
        if one and one.process and one.process.poll() is None:
            root = psutil.Process(one.process.pid)
            end([root, *root.children(recursive=True)])
            one.process.wait()

    def stop_all(self) -> None:
        """End every process, those marked ``last`` after the others."""
        last = {one.process.pid for one in self._supervised.values() if one.order.last and one.process}
        end([child for child in psutil.Process().children(recursive=True) if child.pid not in last])
        end(psutil.Process().children(recursive=True))

    def tend(self) -> None:
        """Report processes that ended by themselves, start those that are due, and collect adopted orphans."""
        now = time.monotonic()
        for one in list(self._supervised.values()):
            if one.process and (status := one.process.poll()) is not None:
                self._note_end(one, status, now)
            elif one.due_at is not None and one.due_at <= now:
                self._launch(one)
        self._collect_orphans()

    def _launch(self, one: _Supervised) -> None:
        one.started_at, one.due_at = time.monotonic(), None
        try:
            one.process = _spawn(one.order)
        except OSError as error:
            print(f"streamflow: {error.filename or one.order.name}: {error.strerror}", file=sys.stderr)
            self._note_end(one, NOT_STARTED, one.started_at)
            return
        report(started=one.order.name, pid=one.process.pid)

    def _note_end(self, one: _Supervised, status: int, now: float) -> None:
        pause = one.restarts.after(now - one.started_at) if one.restarts else None
        one.process, one.due_at = None, None if pause is None else now + pause
        if pause is None:
            self._supervised.pop(one.order.name, None)
        report(ended=one.order.name, status=status, restart_in=pause)

    def _collect_orphans(self) -> None:
        own = {one.process.pid for one in self._supervised.values() if one.process}
        for child in psutil.Process().children():
            if child.pid not in own and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)


def _spawn(order: Order) -> subprocess.Popen[bytes]:
    log = Path(order.log)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            order.argv,
            env=dict(order.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def end(processes: list[psutil.Process]) -> None:
    """End processes: send SIGTERM, wait for ``GRACE_SECONDS``, and kill those that are still alive."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=GRACE_SECONDS)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def report(**message: str | float | None) -> None:
    """Write a report to standard output."""
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader is gone; the end of standard input, which follows, stops the supervisor.
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115


def obey(supervisor: Supervisor, line: bytes) -> None:
    """Carry out one order."""
    order = json.loads(line)
    if "stop" in order:
        supervisor.stop(order["stop"])
        return
    fields = order["start"]
    restart = RestartPolicy(**fields["restart"]) if fields["restart"] else None
    supervisor.start(Order(**{**fields, "restart": restart}))


def _lines(stopped: list[int]) -> Iterator[list[bytes]]:
    """Yield the lines that have arrived on standard input, at least every ``REAP_SECONDS``, until its end."""
    os.set_blocking(0, False)
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        while not stopped:
            lines: list[bytes] = []
            if selector.select(timeout=REAP_SECONDS):
                chunk = os.read(0, 1 << 20)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
            yield lines


def main() -> None:
    """Obey the orders on standard input until its end or a signal, then end every process."""
    adopt_orphans()
    supervisor, stopped = Supervisor(), list[int]()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stopped.append(received))
    for lines in _lines(stopped):
        for line in lines:
            obey(supervisor, line)
        supervisor.tend()
    supervisor.stop_all()


if __name__ == "__main__":
    main()
