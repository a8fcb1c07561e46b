"""The supervisor: parent of every process of a stack, which ends them all when its own parent is gone.

Run as a script. It reads one JSON object a line from standard input, each naming a
process to start (``{"name", "argv", "env", "log", "last"}``; those with ``last`` are ended after the others), and
writes one a line: ``{"started": name, "pid": n}`` or ``{"ended": name, "status": n}``. End of input, SIGTERM or SIGINT
ends every process, those that left their process group too: the supervisor is the reaper of all orphans below it
(prctl(2), PR_SET_CHILD_SUBREAPER), so that nothing it started can slip away.
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
from pathlib import Path
from typing import Any

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = float(os.environ.get("STREAMFLOW_GRACE_SECONDS", "6"))


def prctl(option: int, value: int) -> None:
    """Call prctl(2) where there is one (Linux); elsewhere end of input is all the supervisor has."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


class Supervisor:
    """Holds the processes between their start and their end."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.last: set[str] = set()
        self.stopping = False

    def start(self, name: str, argv: list[str], env: dict[str, str], log: str, last: bool = False) -> None:
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        with Path(log).open("ab") as output:
            self.processes[name] = subprocess.Popen(
                argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        if last:
            self.last.add(name)
        say(started=name, pid=self.processes[name].pid)

    def stop(self, name: str) -> None:
        """End one process and all below it."""
        process = self.processes.pop(name, None)
        if process is not None and process.poll() is None:
            end([psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)])
            process.wait()

    def reap(self) -> None:
        """Report processes that ended by themselves, and collect orphans."""
        for name, process in list(self.processes.items()):
            status = process.poll()
            if status is not None:
                del self.processes[name]
                say(ended=name, status=status)
        known = {process.pid for process in self.processes.values()}
        for child in psutil.Process().children():
            if child.pid not in known and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)

    def stop_all(self) -> None:
        final = {self.processes[name].pid for name in self.last if name in self.processes}
        end([child for child in psutil.Process().children(recursive=True) if child.pid not in final])
        end(psutil.Process().children(recursive=True))


def end(processes: list[psutil.Process]) -> None:
    """Ask processes to end, wait, and kill those (and what they started meanwhile) that did not."""
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


def say(**message: Any) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader is gone; the end of input that follows stops the supervisor.
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115


def main() -> None:
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    supervisor = Supervisor()

    def stop(_signum: int, _frame: object) -> None:
        supervisor.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    os.set_blocking(0, False)
    waiting = b""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        last_reap = 0.0
        while not supervisor.stopping:
            if selector.select(timeout=0.5):
                chunk = os.read(0, 1 << 20)
                if not chunk:
                    break
                *lines, waiting = (waiting + chunk).split(b"\n")
                for line in lines:
                    order = json.loads(line)
                    if "stop" in order:
                        supervisor.stop(order["stop"])
                    else:
                        supervisor.start(**order)
            if time.monotonic() - last_reap > 0.5:
                supervisor.reap()
                last_reap = time.monotonic()
    supervisor.stop_all()


if __name__ == "__main__":
    main()
