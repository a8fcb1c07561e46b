"""Processes of a stack end with their owner, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from streamflow_stack.processes import MARK, Processes, StackError

# A child that leaves its process group and ignores SIGTERM: the hardest to find and to end.
STUBBORN = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork() or os.setsid(); time.sleep(60)"
)


def marked(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMFLOW_GRACE_SECONDS", "0.5")


def test_leaving_the_block_ends_stubborn_children_of_children(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("stubborn", [sys.executable, "-c", STUBBORN], dict(os.environ))
        assert eventually(lambda: len(marked(tmp_path)) == 3)  # the supervisor, the child, and its fork
    assert marked(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_owner_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, signal, sys, time, pathlib\n"
            # As at a terminal: what a shell starts behind itself has it ignored, and so have its children.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from streamflow_stack.processes import Processes\n"
            f"with Processes(pathlib.Path({str(tmp_path)!r})) as p:\n"
            f"    p.start('stubborn', [sys.executable, '-c', {STUBBORN!r}], dict(os.environ))\n"
            "    time.sleep(60)\n",
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    assert eventually(lambda: len(marked(tmp_path)) == 3)
    owner.send_signal(number)
    owner.wait(timeout=20)
    assert eventually(lambda: marked(tmp_path) == [])


def test_a_killed_supervisor_leaves_nothing_for_the_next_start(tmp_path: Path) -> None:
    first = Processes(tmp_path)
    first.start("stubborn", [sys.executable, "-c", STUBBORN], dict(os.environ))
    assert eventually(lambda: len(marked(tmp_path)) == 3)
    os.kill(first._supervisor.pid, signal.SIGKILL)
    first._supervisor.wait()
    with Processes(tmp_path):
        assert eventually(lambda: len(marked(tmp_path)) == 1)  # the new supervisor


def test_a_process_that_ends_by_itself_is_reported_with_its_log(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("brief", [sys.executable, "-c", "print('no port left'); raise SystemExit(3)"], dict(os.environ))
        assert eventually(lambda: "brief" in processes.ended)
        with pytest.raises(StackError, match=r"brief ended with status 3.*\n.*no port left"):
            processes.check()


def test_stopping_one_process_leaves_the_others(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        for name in ("one", "two"):
            processes.start(name, [sys.executable, "-c", "import time; time.sleep(60)"], dict(os.environ))
        pids = dict(processes.pids)
        processes.stop("one")
        assert eventually(lambda: not psutil.pid_exists(pids["one"]))
        assert psutil.pid_exists(pids["two"])
