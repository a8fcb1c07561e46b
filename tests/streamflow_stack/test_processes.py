"""Processes of a stack end with their owner, and are started again as their policy says."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from streamflow_stack.processes import MARK, Processes, StackError
from streamflow_stack.restart import RestartPolicy

# A child that leaves its process group and ignores SIGTERM.
STUBBORN = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork() or os.setsid(); time.sleep(60)"
)


def marked(home: Path) -> list[psutil.Process]:
    """Return the living processes that carry the mark of a home."""
    processes = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return processes


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
            # A shell starts background processes with SIGINT ignored; a terminal does not.
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


def test_only_the_owner_reads_files_of_the_processes(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        code = f"open({str(tmp_path / 'written')!r}, 'w').close()"
        log = processes.start("writer", [sys.executable, "-c", code], dict(os.environ))
        assert eventually(lambda: processes.ended)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "written", log)} == {0o600}


def test_stopping_one_process_leaves_the_others(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        for name in ("one", "two"):
            processes.start(name, [sys.executable, "-c", "import time; time.sleep(60)"], dict(os.environ))
        pids = dict(processes.pids)
        processes.stop("one")
        assert eventually(lambda: not psutil.pid_exists(pids["one"]))
        assert psutil.pid_exists(pids["two"])


def test_a_process_is_started_again_and_the_restart_is_reported(tmp_path: Path) -> None:
    policy = RestartPolicy(short_life_seconds=0, pause_seconds=0.1)
    with Processes(tmp_path) as processes:
        processes.start("one", [sys.executable, "-c", "import time; time.sleep(60)"], dict(os.environ), restart=policy)
        first = processes.pids["one"]
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: processes.pids["one"] != first)
        assert processes.news() == [
            f"one was ended by SIGKILL and starts again in 0.1 s; its log: {tmp_path / 'logs' / 'one.log'}"
        ]
        assert processes.news() == []
        processes.check()


def test_a_process_that_cannot_live_is_not_started_again(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start(
            "brief", [sys.executable, "-c", "raise SystemExit(3)"], dict(os.environ), restart=RestartPolicy()
        )
        assert eventually(lambda: processes.ended == {"brief": 3})


def test_a_stopped_process_is_not_started_again(tmp_path: Path) -> None:
    policy = RestartPolicy(tolerated_failures=None, pause_seconds=0.1)
    with Processes(tmp_path) as processes:
        processes.start("one", [sys.executable, "-c", "import time; time.sleep(60)"], dict(os.environ), restart=policy)
        pid = processes.pids["one"]
        processes.stop("one")
        assert eventually(lambda: not psutil.pid_exists(pid))
        time.sleep(1.5)
        assert processes.pids["one"] == pid
        assert processes.news() == []


def test_a_program_that_cannot_be_run_is_reported_and_leaves_the_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Processes(tmp_path) as processes:
        processes.start("one", [sys.executable, "-c", "import time; time.sleep(60)"], dict(os.environ))
        processes.start("missing", ["/nonexistent/program"], dict(os.environ))
        with pytest.raises(StackError, match="missing ended with status 127"):
            processes.check()
        assert capfd.readouterr().err == "streamflow: /nonexistent/program: No such file or directory\n"
        assert psutil.pid_exists(processes.pids["one"])
