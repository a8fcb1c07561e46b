"""A command becomes a small program that keeps its stack, and ends it as the command would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from streamflow_stack.state import StackState, state_file, write_state

from .test_processes import eventually, marked

# A command that holds a home and a port, starts a process, and becomes the program.
COMMAND = """
import os, pathlib, sys
import httpx, pydantic, redis, rich.console
from streamflow_stack import ports, stack, standby
from streamflow_stack.processes import Processes
home = pathlib.Path(sys.argv[1])
with stack.owned(home), Processes(home) as processes, ports.reserved(int(sys.argv[2]), "127.0.0.1") as port:
    processes.start("part", [sys.executable, "-c", sys.argv[3]], dict(os.environ))
    print("ready", port, flush=True)
    standby.become(processes)
"""
SLEEP = "import time; time.sleep(60)"
HOLD = """
import pathlib, sys
from streamflow_stack import stack
with stack.owned(pathlib.Path(sys.argv[1])): pass
"""


def started(home: Path, part: str, port: int = 0) -> subprocess.Popen[str]:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "STREAMFLOW_GRACE_SECONDS": "0.5"}
    write_state(home, StackState("http://127.0.0.1:1", None, 1))
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{COMMAND}"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(home), str(port), part],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ready")
    assert eventually(lambda: "streamflow_stack.standby" in psutil.Process(process.pid).cmdline())
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_stack_that_it_keeps(tmp_path: Path, number: signal.Signals) -> None:
    process = started(tmp_path, SLEEP)
    assert eventually(lambda: len(marked(tmp_path)) == 2)  # the supervisor and the part
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "ending\n", "")
    assert marked(tmp_path) == []
    assert not state_file(tmp_path).exists()


def test_a_part_that_ends_for_good_ends_the_stack_with_its_log(tmp_path: Path) -> None:
    process = started(tmp_path, "import time; time.sleep(1.5); print('no port left'); raise SystemExit(3)")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "part ended with status 3" in errors
    assert "no port left" in errors


def test_the_home_and_the_port_stay_held_and_the_modules_are_gone(tmp_path: Path) -> None:
    process = started(tmp_path, SLEEP)
    try:
        env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        second = subprocess.run(
            [sys.executable, "-c", HOLD, str(tmp_path)], env=env, capture_output=True, text=True, check=False
        )
        assert "a stack already runs in" in second.stderr
        assert psutil.Process(process.pid).memory_full_info().uss < 25 * 2**20
        assert any(one.type == 2 for one in psutil.Process(process.pid).net_connections("udp"))
    finally:
        process.terminate()
        process.communicate(timeout=30)
