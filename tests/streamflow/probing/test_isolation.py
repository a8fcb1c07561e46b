"""A decoder that crashes, hangs or takes all memory costs one check, which still has a verdict."""

from __future__ import annotations

import ctypes
import errno
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import Lab
from streamflow import config
from streamflow.probing import ProbeOutcome, ProbeTarget, Progress, probe
from streamflow.probing.isolation import Crashed, Hung, Stopped
from streamflow.probing.isolation.client import START_SECONDS, ForkServer
from streamflow.probing.isolation.fork_server import _Job, _Server
from support.probing.inside import Send, forked_server, ran
from support.probing.watching import assert_nobody_watches

ROOT = Path(__file__).parents[3]
QUICK = config.Probe(sample_seconds=0.5, connect_timeout=0.5, read_timeout=0.5)


def segfault(*_: object) -> None:
    ctypes.string_at(0)


def test_messages_and_the_result_come_in_order() -> None:
    messages: list[object] = []

    def work(send: Send) -> int:
        for number in range(100):
            send(number)
        return os.getpid()

    assert ran(work, messages_to=messages) != os.getpid()
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
        ran(hang, messages_to=messages, longest_s=2)
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(messages[0])), 0)


def test_work_that_is_stopped_has_no_result() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        ran(lambda _: time.sleep(60), stop=stop)


def test_a_fault_of_the_listener_is_raised_and_ends_the_work() -> None:
    def listen(_: object) -> None:
        raise LookupError("no listener")

    with pytest.raises(LookupError):
        ran(lambda send: (send(1), time.sleep(60)), on_message=listen)


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
        place = held.fileno()
        assert ran(lambda _: is_open(place)) is False


def is_open(descriptor: int) -> bool:
    try:
        os.lseek(descriptor, 0, os.SEEK_CUR)
    except OSError as error:
        return error.errno != errno.EBADF
    return True


PROBE_FOR_EVER = """
import sys, threading
from streamflow import config
from streamflow.probing import ProbeTarget, probe
probe(ProbeTarget(sys.argv[1]), config.Probe(sample_seconds=60), on_progress=lambda _: print("began", flush=True))
"""


def processes_of(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    pids = [pid]
    for one in pids:
        for task in Path(f"/proc/{one}/task").iterdir():
            pids += map(int, (task / "children").read_text(encoding="ascii").split())
    return pids


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def assert_all_end(pids: list[int]) -> None:
    deadline = time.monotonic() + 15
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_running, pids))


def test_everything_ends_with_the_caller(lab: Lab) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include")}
    command = [sys.executable, "-c", PROBE_FOR_EVER, lab.url("hd25_2m")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout
        caller.stdout.readline()
        started = processes_of(caller.pid)
        caller.kill()
    # The fork server, the fetcher and the decoder.
    assert len(started) == 4
    assert_all_end(started)
    assert_nobody_watches(lab)


def test_a_probe_outlives_the_fork_server_of_the_one_before(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sys.modules["streamflow.probing.isolation.client"]
    server = ForkServer.start()
    monkeypatch.setattr(client, "_server", server)
    assert server.process
    server.process.kill()
    server.process.wait()
    codecs: list[str | None] = []

    def work() -> None:
        codecs.append(probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result.video_codec)

    # All of them find it ended at the same time.
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codecs == ["h264"] * 4


def watched_probe(url: str, outcomes: list[ProbeOutcome], began: Callable[[], None]) -> threading.Thread:
    """Probe in a thread; ``began`` is called when the media are measured."""
    is_first = [True]

    def on_progress(progress: Progress) -> None:
        if progress.phase == "measuring" and is_first:
            is_first.clear()
            began()

    settings = config.Probe(sample_seconds=60)
    thread = threading.Thread(
        target=lambda: outcomes.append(probe(ProbeTarget(url), settings, on_progress=on_progress)), daemon=True
    )
    thread.start()
    return thread


@pytest.mark.parametrize("number", [1, 3])
def test_a_fork_server_that_is_killed_costs_the_running_probes_a_try_and_the_next_one_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    server = ForkServer.start()
    monkeypatch.setattr(sys.modules["streamflow.probing.isolation.client"], "_server", server)
    outcomes: list[ProbeOutcome] = []
    measuring = threading.Semaphore(0)
    threads = [watched_probe(lab.url("hd25_2m"), outcomes, measuring.release) for _ in range(number)]
    for _ in threads:
        assert measuring.acquire(timeout=60)
    assert server.process
    started = processes_of(server.process.pid)
    assert len(started) == 1 + 2 * number
    server.process.kill()
    for thread in threads:
        thread.join(timeout=30)
    ends = [(each.result.verdict, each.result.reason, each.retryable) for each in outcomes]
    assert ends == [("unknown", "internal_error", True)] * number
    assert_all_end(started)
    assert_nobody_watches(lab)
    assert probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result.video_codec == "h264"


def test_a_fork_server_that_is_killed_before_it_takes_a_probe_costs_a_try(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, ordered, order = ForkServer.start(), threading.Event(), ForkServer.order

    def noted(*arguments: Any) -> None:
        order(*arguments)
        ordered.set()

    monkeypatch.setattr(sys.modules["streamflow.probing.isolation.client"], "_server", server)
    monkeypatch.setattr(ForkServer, "order", noted)
    assert server.process
    server.process.send_signal(signal.SIGSTOP)
    outcomes: list[ProbeOutcome] = []
    thread = watched_probe(lab.url("hd25_2m"), outcomes, lambda: None)
    assert ordered.wait(30)
    server.process.kill()
    # It would wait longer for a server that had only no memory.
    thread.join(timeout=START_SECONDS / 2)
    ends = [(each.result.verdict, each.result.reason, each.retryable) for each in outcomes]
    assert ends == [("unknown", "internal_error", True)]


def test_a_probe_without_any_fork_server_may_be_tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended() -> ForkServer:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        there.close()
        return ForkServer(here)

    monkeypatch.setattr(sys.modules["streamflow.probing.isolation.client"], "_server", ended())
    monkeypatch.setattr(ForkServer, "start", ended)
    outcome = probe(ProbeTarget(lab.url("hd25_2m")), QUICK)
    assert (outcome.result.verdict, outcome.result.reason, outcome.retryable) == ("unknown", "internal_error", True)


def test_threads_and_forks_of_a_worker_share_one_server(lab: Lab) -> None:
    client = sys.modules["streamflow.probing.isolation.client"]
    client.prepare()
    results: list[str | None] = []

    def work() -> None:
        results.append(probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result.video_codec)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    child = os.fork()
    if child == 0:
        work()
        os._exit(results != ["h264"])
    for thread in threads:
        thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert results == ["h264"] * 3


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
    with forked_server():
        outcome = probe(ProbeTarget(lab.url("hd25_2m"), stream_id=7), QUICK)
    result = outcome.result
    assert (result.verdict, result.reason, result.detail) == (verdict, reason, detail)
    assert (outcome.retryable, result.stream_id) == (True, 7)
    assert_nobody_watches(lab)


def test_a_crash_of_the_fetcher_is_no_fault_of_the_stream(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    monkeypatch.setattr(sys.modules["streamflow.probing.fetcher"], "feed", segfault)
    with forked_server():
        result = probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result
    assert (result.verdict, result.reason) == ("unknown", "internal_error")
    assert result.detail == "the probe was ended by SIGSEGV"


def test_a_decoder_that_hangs_costs_one_check_and_no_connection(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    when_looking(monkeypatch, lambda *_: time.sleep(60))
    monkeypatch.setattr(sys.modules["streamflow.probing.probe"], "HANG_SECONDS", 0.1)
    monkeypatch.setattr(sys.modules["streamflow.probing.probe"], "FIRST_PICTURE_SECONDS", 0.1)
    with forked_server():
        result = probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result
    assert (result.verdict, result.reason) == ("dead", "undecodable")
    assert result.elapsed_s < 5
    assert_nobody_watches(lab)


def test_a_process_that_lacked_memory_says_so(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    kills = iter([3, 4])
    monkeypatch.setattr(sys.modules["streamflow.probing.isolation.memory"], "kills", lambda: next(kills))
    when_looking(monkeypatch, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with forked_server():
        result = probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result
    assert (result.verdict, result.reason) == ("unknown", "internal_error")
    assert result.detail
    assert "memory" in result.detail


def test_a_caller_that_leaves_as_its_processes_end_does_not_end_the_server() -> None:
    """Both may be noticed at once; then the job is forgotten before its caller's end is looked at."""
    orders, _ = pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control, caller = socket.socketpair()
    server, job = _Server(orders, {}), _Job([], 1, control, [])
    server._jobs.append(job)
    server._selector.register(control, selectors.EVENT_READ, job)
    caller.close()
    server._forget(job)
    server._end(job)
    assert server._jobs == []
    for one in pair:
        one.close()


def test_a_machine_without_a_process_left_fails_one_probe_and_keeps_the_server(
    monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "no process left")

    # The server, the fetcher of the first probe, and all that follow.
    forks = iter([os.fork, refuse, os.fork, os.fork])
    monkeypatch.setattr(os, "fork", lambda: next(forks)())
    with forked_server():
        first, second = (probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result for _ in range(2))
    assert (first.verdict, first.reason) == ("unknown", "internal_error")
    assert second.video_codec == "h264"
