"""Keeps a started stack in little memory: the command that started it becomes this program.

``python -m streamflow_stack.standby HOME PID ORDERS REPORTS`` watches the stack of a home until Ctrl-C. The numbers are
those of :class:`streamflow_stack.processes.Link`. The command's locks, on the home and on the port, are inheritable
descriptors: they stay held across execve(2).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from streamflow_stack.processes import Link, Processes, StackError
from streamflow_stack.state import state_file

WATCH_SECONDS = 1.0
# Each of them ends the program as Ctrl-C does.
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def become(processes: Processes) -> NoReturn:
    """Replace this process' program by this module; its own memory, 40 MB of modules, is free then."""
    home, link = processes.home, processes.link
    for descriptor in (link.orders, link.reports):
        os.set_inheritable(descriptor, True)
    sys.stdout.flush()
    # The mask stays in force across execve(2): a signal that comes before the new program handles it waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    arguments = [str(home), str(link.pid), str(link.orders), str(link.reports)]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    os.execve(sys.executable, [sys.executable, "-m", __name__, *arguments], env)  # noqa: S606 - without a shell


def watch(processes: Processes) -> None:
    """Report restarts until one of ``ENDS``.

    :raises StackError: A process has ended and is not started again.
    """
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
        while True:
            for sentence in processes.news():
                print(sentence, flush=True)
            processes.check()
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        print("ending", flush=True)


def main(home: Path, link: Link) -> int:
    """Watch the stack of a home, end it, and return the exit status of a command."""
    for number in ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        with Processes(home, link) as processes:
            watch(processes)
    except StackError as error:
        print(f"streamflow: {error}", file=sys.stderr)
        return 2
    finally:
        state_file(home).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Link(*map(int, sys.argv[2:]))))
