"""A decoder that crashes, hangs or takes all memory costs one check, which still has a verdict."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import Lab
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.isolation import Crashed, Hung, Send, Stopped, isolated
from support.probing.watching import assert_nobody_watches

ROOT = Path(__file__).parents[3]
QUICK = config.Probe(sample_seconds=0.5, connect_timeout=0.5, read_timeout=0.5)


def ran(work: Callable[[Send], object], *, messages: list[object] | None = None, longest_s: float = 30) -> object:
    received = [] if messages is None else messages
    return isolated(work, on_message=received.append, stop=threading.Event(), longest_s=longest_s)


def segfault(*_: object) -> None:
    ctypes.string_at(0)


def test_messages_and_the_result_come_in_order() -> None:
    messages: list[object] = []
    assert ran(lambda send: [send(number) for number in range(100)] and os.getpid(), messages=messages) != os.getpid()
    assert messages == list(range(100))


@pytest.mark.parametrize(
    ("work", "by"),
    [(segfault, signal.SIGSEGV), (lambda _: os.abort(), signal.SIGABRT), (lambda _: os._exit(3), None),
     (lambda _: 1 / 0, None)],
)  # fmt: skip
def test_the_signal_of_a_crash_is_reported(work: Callable[[Send], object], by: signal.Signals | None) -> None:
    with pytest.raises(Crashed) as crash:
        ran(work)
    assert crash.value.signal == by


def test_work_that_hangs_is_ended_and_leaves_no_process() -> None:
    messages: list[object] = []

    def hang(send: Send) -> None:
        send(os.getpid())
        time.sleep(60)

    with pytest.raises(Hung):
        ran(hang, messages=messages, longest_s=0.3)
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(messages[0])), 0)


def test_work_that_is_stopped_has_no_result() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        isolated(lambda _: time.sleep(60), on_message=print, stop=stop, longest_s=10)


def test_a_fault_of_the_listener_is_raised_and_ends_the_work() -> None:
    def listen(_: object) -> None:
        raise LookupError("no listener")

    with pytest.raises(LookupError):
        isolated(lambda send: (send(1), time.sleep(60)), on_message=listen, stop=threading.Event(), longest_s=10)


def test_the_work_cannot_take_all_memory() -> None:
    def greedy(_: Send) -> bool:
        try:
            bytearray(8_000_000_000)
        except MemoryError:
            return True
        return False

    assert ran(greedy) is True


def test_the_work_holds_none_of_the_files_that_were_open(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as held:
        held_there = ran(lambda _: Path(f"/proc/self/fd/{held.fileno()}").exists())
    assert held_there is False


def test_the_work_ends_with_its_parent() -> None:
    code = (
        "import os, sys, threading, time; from streamflow.probing.isolation import isolated\n"
        "def show(pid):\n"
        "    print(pid, flush=True); os._exit(0)\n"
        "def work(send):\n"
        "    send(os.getpid()); time.sleep(60)\n"
        "isolated(work, on_message=show, stop=threading.Event(), longest_s=60)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=30)
    child = Path(f"/proc/{int(done.stdout)}")
    deadline = time.monotonic() + 5
    while child.exists() and "Z" not in (child / "stat").read_text().split()[2] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not child.exists() or "Z" in (child / "stat").read_text().split()[2]


# -- the probe -----------------------------------------------------------------------------------
def when_looking(monkeypatch: pytest.MonkeyPatch, fault: Callable[..., object]) -> None:
    monkeypatch.setattr(sys.modules["streamflow.probing.media.luma"].Scaler, "small", fault)


@pytest.mark.parametrize(
    ("fault", "verdict", "reason", "detail"),
    [
        (segfault, "dead", "undecodable", "the decoder was ended by SIGSEGV"),
        (lambda *_: os.abort(), "dead", "undecodable", "the decoder was ended by SIGABRT"),
        (
            lambda *_: os.kill(os.getpid(), signal.SIGKILL),
            "unknown",
            "internal_error",
            "the probe was ended by SIGKILL",
        ),
        (lambda *_: os._exit(1), "unknown", "internal_error", "the probe ended without a result"),
    ],
)
def test_a_decoder_that_crashes_is_a_verdict_and_may_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, lab: Lab, fault: Callable[..., object], verdict: str, reason: str, detail: str
) -> None:
    when_looking(monkeypatch, fault)
    outcome = probe(ProbeTarget(lab.url("hd25_2m"), stream_id=7), QUICK)
    result = outcome.result
    assert (result.verdict, result.reason, result.detail) == (verdict, reason, detail)
    assert (outcome.retryable, result.stream_id) == (True, 7)
    assert_nobody_watches(lab)


def test_a_crash_before_any_media_is_no_fault_of_the_stream(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    monkeypatch.setattr(sys.modules["streamflow.probing.protocols.http"], "feed", segfault)
    result = probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result
    assert (result.verdict, result.reason) == ("unknown", "internal_error")


def test_a_decoder_that_hangs_costs_one_check_and_no_connection(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    when_looking(monkeypatch, lambda *_: time.sleep(60))
    monkeypatch.setattr(sys.modules["streamflow.probing.probe"], "HANG_SECONDS", 0.1)
    monkeypatch.setattr(sys.modules["streamflow.probing.probe"], "FIRST_PICTURE_SECONDS", 0.1)
    result = probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result
    assert (result.verdict, result.reason) == ("dead", "undecodable")
    assert result.elapsed_s < 5
    assert_nobody_watches(lab)


def test_the_command_survives_a_crash_and_says_so(lab: Lab, tmp_path: Path) -> None:
    code = (
        "import ctypes, sys; from streamflow.probing.media import luma\n"
        "luma.Scaler.small = lambda *_: ctypes.string_at(0)\n"
        "from streamflow_stack.cli.probe import command; command()"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include"), "STREAMFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, lab.url("hd25_2m"), "--sample-seconds", "1"],
        capture_output=True, text=True, env=environment, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith("dead: undecodable (the decoder was ended by SIGSEGV)")
