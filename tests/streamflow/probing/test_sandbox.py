"""The probe's processes are tried from inside: they read no file, start nothing, and hold no secret of their caller."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import Lab
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.isolation import Crashed, landlock, sandbox, seccomp
from streamflow.probing.isolation.client import KEPT_VARIABLES, ForkServer
from streamflow.probing.media import luma
from streamflow.probing.target import SLATE_BYTES
from support.probing.inside import forked_server, ran, tried

HAS_LANDLOCK = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
HAS_SECCOMP = pytest.mark.skipif(not seccomp.is_available(), reason="this kernel has no seccomp filters")
SECRET = "a-secret-of-the-stack"
PASSWORD = "a-password-in-the-url"
LONG = config.Probe(sample_seconds=20, connect_timeout=2, read_timeout=2)


@contextmanager
def served_by(server: ForkServer) -> Iterator[ForkServer]:
    """Have probes use a fork server."""
    client = sys.modules["streamflow.probing.isolation.client"]
    before, client._server = client._server, server  # type: ignore[attr-defined]
    try:
        yield server
    finally:
        client._server = before  # type: ignore[attr-defined]
        server.orders.close()
        if server.process:
            server.process.wait()


# -- the real processes --------------------------------------------------------------------------
@HAS_SECCOMP
def test_a_decoder_that_was_taken_over_cannot_do_anything(lab: Lab) -> None:
    target = ProbeTarget(lab.url("hd25_2m"), name=str(os.getpid()))
    with served_by(ForkServer.start("support.probing.intruder")):
        result = probe(target, LONG).result
    tries = dict(one.split(":") for one in (result.detail or "").split())
    assert len(tries) == 15
    assert {name for name, outcome in tries.items() if outcome != "refused"} == set()


@contextmanager
def running(lab: Lab) -> Iterator[dict[str, int]]:
    """Probe a stream, and yield the ids of the processes by their role."""
    url = lab.url("hd25_2m").replace("http://", f"http://user:{PASSWORD}@")
    cancel, began = threading.Event(), threading.Event()
    watched = threading.Thread(
        target=probe, args=(ProbeTarget(url), LONG),
        kwargs={"cancel": cancel, "on_progress": lambda now: now.bytes > 300_000 and began.set()},
    )  # fmt: skip
    with served_by(ForkServer.start()) as server:
        watched.start()
        try:
            assert began.wait(20)
            assert server.process
            yield _roles(server.process.pid)
        finally:
            cancel.set()
            watched.join()


def _roles(server: int) -> dict[str, int]:
    children = Path(f"/proc/{server}/task/{server}/children").read_text(encoding="ascii").split()
    threads = {int(child): len(list(Path(f"/proc/{child}/task").iterdir())) for child in children}
    decoder, fetcher = sorted(threads, key=threads.__getitem__)
    assert threads[decoder] == 1
    return {"server": server, "fetcher": fetcher, "decoder": decoder}


def _memory(pid: int) -> bytes:
    """Return all of a process' own memory."""
    parts = []
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) rw.p", line):
                begin, end = (int(number, 16) for number in found.groups())
                memory.seek(begin)
                parts.append(memory.read(end - begin))
    return b"".join(parts)


@pytest.mark.skipif(os.getuid() != 0, reason="only root reads the memory of undumpable processes")
def test_no_process_holds_a_secret_of_the_worker_nor_the_decoder_the_url(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", SECRET)
    with running(lab) as pids:
        held = {role: _memory(pid) for role, pid in pids.items()}
    assert SECRET.encode() in _memory(os.getpid())
    assert {role for role, memory in held.items() if SECRET.encode() in memory} == set()
    assert {role for role, memory in held.items() if PASSWORD.encode() in memory} == {"fetcher"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root reads the state of undumpable processes")
def test_processes_have_a_clean_environment_and_only_their_own_descriptors(lab: Lab) -> None:
    with running(lab) as pids:
        for role, pid in pids.items():
            process = Path(f"/proc/{pid}")
            variables = {name.partition(b"=")[0].decode() for name in (process / "environ").read_bytes().split(b"\0")}
            assert variables - {""} <= KEPT_VARIABLES | {"MALLOC_ARENA_MAX", "LC_CTYPE"}
            opened = {int(one.name): str(one.readlink()) for one in (process / "fd").iterdir()}
            assert [opened[number] for number in range(3)] == ["/dev/null"] * 3, role
            further = [leads for number, leads in opened.items() if number > 2]
            if role == "decoder":
                assert sorted(leads.partition(":")[0] for leads in further) == ["socket", "socket"]
            assert not [leads for leads in further if leads.startswith("/")]


@pytest.mark.skipif(os.getuid() != 0, reason="only root reads the state of undumpable processes")
def test_the_kernel_has_the_bounds_of_each_process(lab: Lab) -> None:
    with running(lab) as pids:
        for role in ("fetcher", "decoder"):
            process = Path(f"/proc/{pids[role]}")
            status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
            assert status["NoNewPrivs"].strip() == "1"
            assert status["Seccomp"].strip() == ("2" if seccomp.is_available() else "0")
            assert (process / "oom_score_adj").read_text().strip() == "1000"
            limits = {line[:26].strip(): line[26:47].strip() for line in (process / "limits").read_text().splitlines()}
            assert (limits["Max core file size"], limits["Max file size"]) == ("0", "0")
            assert int(limits["Max open files"]) == sandbox.MAX_FILES
            assert int(limits["Max cpu time"]) < 200
            assert int(limits["Max data size"]) < 5 * sandbox.MEMORY_BYTES
            assert int(limits["Max address space"]) < 5 * sandbox.MEMORY_BYTES
            assert limits["Max processes"] == "0" or role == "fetcher"


# -- the decoder's profile -----------------------------------------------------------------------
def test_the_work_cannot_take_all_memory() -> None:
    def greedy() -> bool:
        try:
            bytearray(8_000_000_000)
        except MemoryError:
            return True
        return False

    assert tried(greedy) is True


def test_memory_is_bounded_by_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    for size, most in ((64 << 30, sandbox.MEMORY_BYTES), (1_200_000_000, 600_000_000), (1, 200_000_000)):
        monkeypatch.setattr(sandbox.memory, "limit_bytes", lambda size=size: size)
        assert sandbox.memory_bytes() == most


def test_it_ends_when_its_time_of_computing_is_over() -> None:
    child = os.fork()
    if child == 0:
        sandbox.enter("decoder", sandbox.Bounds(1_000_000_000, 1))
        while True:
            continue
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) in (signal.SIGXCPU, signal.SIGKILL)


# -- the fetcher's profile -----------------------------------------------------------------------
@HAS_LANDLOCK
def test_a_fetcher_reads_no_file_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    for work in ((tmp_path / "secret").read_text, Path("/etc/passwd").read_text, lambda: list(Path("/").iterdir())):
        assert tried(work, "network") == "PermissionError"
    parent = os.getpid()
    for name in ("mem", "environ"):
        assert tried(lambda name=name: Path(f"/proc/{parent}/{name}").read_bytes(), "network") == "PermissionError"


@HAS_LANDLOCK
def test_a_fetcher_writes_no_file(tmp_path: Path) -> None:
    assert tried(lambda: (tmp_path / "new").write_text("x"), "network") == "PermissionError"
    assert not (tmp_path / "new").exists()


@HAS_SECCOMP
def test_a_fetcher_starts_no_process_and_serves_nobody() -> None:
    assert tried(os.fork, "network") == "PermissionError"
    assert tried(lambda: subprocess.run([sys.executable, "-V"], check=False).returncode, "network") == "PermissionError"
    assert tried(lambda: os.execv(sys.executable, [sys.executable]), "network") == "PermissionError"  # noqa: S606
    assert tried(lambda: os.kill(os.getppid(), 0), "network") == "PermissionError"
    assert tried(lambda: socket.socket(socket.AF_UNIX), "network") == "PermissionError"
    assert tried(lambda: socket.create_server(("127.0.0.1", 0)), "network") == "PermissionError"


def test_a_fetcher_starts_threads_and_connects(lab: Lab) -> None:
    host, port = lab.url("hd25_2m").split("/")[2].split(":")

    def work() -> bool:
        begun = threading.Event()
        threading.Thread(target=begun.set).start()
        socket.create_connection((host, int(port)), 2).close()
        return begun.wait(5)

    assert tried(work, "network") is True


# -- messages ------------------------------------------------------------------------------------
class Harmful:
    """An object whose unpickling would run a function."""

    def __reduce__(self) -> Any:
        return os.system, ("false",)


def test_a_message_is_data_and_never_an_object() -> None:
    with pytest.raises(Crashed):
        ran(lambda _: Harmful())


@pytest.mark.parametrize("message", [b"", b"{", b"[", b"[true]", b"[" * 100_000, b"\x80\x04."])
def test_bytes_that_are_no_message_end_the_work(monkeypatch: pytest.MonkeyPatch, message: bytes) -> None:
    module = sys.modules["streamflow.probing.isolation.messages"]
    honest = module.send
    monkeypatch.setattr(
        module,
        "send",
        lambda channel, sent: channel.send_bytes(message) if isinstance(sent, tuple) else honest(channel, sent),
    )
    with pytest.raises(Crashed):
        ran(lambda _: time.sleep(0.2))


@pytest.mark.parametrize("sent", [None, 5, {}, {"result": {"verdict": "fine"}}, {"result": [], "thumbnail": 7}])
def test_a_result_that_is_none_is_an_error_of_the_probe(
    monkeypatch: pytest.MonkeyPatch, lab: Lab, sent: object
) -> None:
    monkeypatch.setattr(sys.modules["streamflow.probing.decoder"], "to_json", lambda _: sent)
    with forked_server():
        result = probe(ProbeTarget(lab.url("http_404"), stream_id=7), config.Probe()).result
    assert (result.verdict, result.reason, result.stream_id) == ("unknown", "internal_error", 7)


@pytest.mark.parametrize(
    "changed",
    [{"thumbnail": "PGh0bWw+"}, {"thumbnail": "/9j/" + "A" * 40_000}, {"slate": "AAAA"}, {"retry_after": "soon"}],
    ids=["a page", "a large picture", "a short slate", "no number"],
)
def test_a_picture_is_a_small_jpeg(monkeypatch: pytest.MonkeyPatch, lab: Lab, changed: dict[str, object]) -> None:
    module = sys.modules["streamflow.probing.decoder"]
    honest = module.to_json
    monkeypatch.setattr(module, "to_json", lambda outcome: honest(outcome) | changed)
    with forked_server():
        outcome = probe(ProbeTarget(lab.url("http_404")), config.Probe())
    assert (outcome.result.reason, outcome.thumbnail, outcome.slate) == ("internal_error", None, None)


def test_progress_is_passed_on_only_so_often(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    module = sys.modules["streamflow.probing.decoder"]
    honest = module.Judge.report

    def flood(judge: Any, *figures: Any) -> None:
        for _ in range(1000):
            honest(judge, *figures)

    monkeypatch.setattr(module.Judge, "report", flood)
    seen: list[object] = []
    with forked_server():
        result = probe(ProbeTarget(lab.url("hd25_2m")), config.Probe(sample_seconds=1), on_progress=seen.append).result
    assert result.video_codec == "h264"
    assert 2 <= len(seen) < 30


def test_a_slate_has_the_size_of_a_grey_copy() -> None:
    assert SLATE_BYTES == luma.WIDTH * luma.HEIGHT


def test_a_result_keeps_to_its_own_stream(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    module = sys.modules["streamflow.probing.decoder"]
    honest = module.to_json

    def forged(outcome: Any) -> Any:
        sent = honest(outcome)
        sent["result"] |= {"stream_id": 1, "url_hash": "another"}
        return sent

    monkeypatch.setattr(module, "to_json", forged)
    target = ProbeTarget(lab.url("http_404"), stream_id=7)
    with forked_server():
        result = probe(target, config.Probe(sample_seconds=0.5)).result
    assert (result.stream_id, result.reason, len(result.url_hash)) == (7, "http_404", 64)


# -- kernels without the guards ------------------------------------------------------------------
def test_a_kernel_without_landlock_leaves_the_other_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    assert tried(lambda: ctypes.string_at(b"x") and os.fork()) == "PermissionError"
    assert tried(Path("/etc/passwd").read_text) == "PermissionError"


def test_a_kernel_without_seccomp_leaves_the_other_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "is_available", lambda: False)
    assert tried(lambda: 7) == 7
    if landlock.version():
        assert tried(Path("/etc/passwd").read_text) == "PermissionError"
