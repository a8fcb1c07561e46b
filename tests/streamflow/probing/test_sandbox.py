"""The probe's process is tried from inside: it reads no file, starts nothing, and sees no secret of its parent."""

from __future__ import annotations

import ctypes
import mmap
import os
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
from streamflow.probing import ProbeTarget, probe, sandbox
from streamflow.probing.isolation import Crashed, Send, isolated

HAS_LANDLOCK = pytest.mark.skipif(not sandbox.landlock_version(), reason="this kernel has no Landlock")
SECRET = "a-secret-of-the-stack"


def inside(work: Callable[[], Any]) -> Any:
    """Return what ``work`` returns in a sandboxed process, or the name of the error that it raises."""

    def tried(_: Send) -> Any:
        try:
            return work()
        except OSError as error:
            return type(error).__name__

    return isolated(tried, on_message=print, stop=threading.Event(), longest_s=20)


@HAS_LANDLOCK
def test_no_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    assert inside((tmp_path / "secret").read_text) == "PermissionError"
    assert inside(Path("/etc/passwd").read_text) == "PermissionError"
    assert inside(lambda: list(map(str, Path("/").iterdir()))) == "PermissionError"


@HAS_LANDLOCK
def test_no_file_is_written(tmp_path: Path) -> None:
    assert inside(lambda: (tmp_path / "new").write_text("x")) == "PermissionError"
    assert not (tmp_path / "new").exists()


@HAS_LANDLOCK
def test_the_parents_memory_and_environment_are_closed() -> None:
    parent = os.getpid()
    for name in ("mem", "environ"):
        assert inside(lambda name=name: Path(f"/proc/{parent}/{name}").read_bytes()) == "PermissionError"


def test_no_process_and_no_program_is_started() -> None:
    assert inside(os.fork) == "PermissionError"
    assert inside(lambda: subprocess.run([sys.executable, "-V"], check=False).returncode) == "PermissionError"
    assert inside(lambda: os.execv(sys.executable, [sys.executable])) == "PermissionError"  # noqa: S606


def test_threads_still_start() -> None:
    def work() -> bool:
        begun = threading.Event()
        threading.Thread(target=begun.set).start()
        return begun.wait(5)

    assert inside(work) is True


def test_a_parent_with_much_memory_does_not_hang_its_probes() -> None:
    private = mmap.mmap(-1, sandbox.MEMORY_BYTES + 100_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        assert inside(lambda: [threading.Thread(target=print).start() for _ in range(3)]) == [None] * 3
    finally:
        private.close()


def test_the_environment_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", SECRET)
    monkeypatch.setenv("SSL_CERT_DIR", "/etc/ssl/certs")
    names = inside(lambda: sorted(os.environ))
    assert set(names) <= sandbox.KEPT_VARIABLES
    assert "SSL_CERT_DIR" in names

    def variables() -> str:
        first = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
        found, index = [], 0
        while first and first[index]:
            found.append(first[index].decode())
            index += 1
        return " ".join(found)

    assert SECRET not in inside(variables)


def test_standard_streams_lead_nowhere() -> None:
    assert inside(lambda: [str(Path(f"/proc/self/fd/{number}").readlink()) for number in range(3)]) == ["/dev/null"] * 3


def test_only_the_pipe_is_open() -> None:
    opened = socket.socket()
    assert inside(lambda: Path(f"/proc/self/fd/{opened.fileno()}").exists()) is False
    opened.close()


class Harmful:
    """An object whose unpickling would run a function."""

    def __reduce__(self) -> Any:
        return os.system, ("false",)


def test_a_message_is_data_and_never_an_object() -> None:
    with pytest.raises(Crashed):
        isolated(lambda _: Harmful(), on_message=print, stop=threading.Event(), longest_s=10)


@pytest.mark.parametrize("message", [b"", b"{", b"[", b"[true]", b"[" * 100_000, b"\x80\x04."])
def test_bytes_that_are_no_message_end_the_work(monkeypatch: pytest.MonkeyPatch, message: bytes) -> None:
    module = sys.modules["streamflow.probing.isolation"]
    monkeypatch.setattr(module, "_send", lambda there, *_: (there.send_bytes(message), time.sleep(0.2)))
    with pytest.raises(Crashed):
        isolated(lambda _: 1, on_message=print, stop=threading.Event(), longest_s=10)


@pytest.mark.parametrize("sent", [None, 5, {}, {"result": {"verdict": "fine"}}, {"result": [], "thumbnail": 7}])
def test_a_result_that_is_none_is_an_error_of_the_probe(
    monkeypatch: pytest.MonkeyPatch, lab: Lab, sent: object
) -> None:
    module = sys.modules["streamflow.probing.probe"]
    monkeypatch.setattr(module._Run, "sent_outcome", lambda *_: sent)
    result = probe(ProbeTarget(lab.url("hd25_2m"), stream_id=7), config.Probe()).result
    assert (result.verdict, result.reason, result.stream_id) == ("unknown", "internal_error", 7)


def test_a_result_keeps_to_its_own_stream(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    module = sys.modules["streamflow.probing.probe"]
    honest = module._Run.sent_outcome

    def forged(run: Any, send: Send) -> Any:
        outcome = honest(run, send)
        outcome["result"] |= {"stream_id": 1, "url_hash": "another"}
        return outcome

    monkeypatch.setattr(module._Run, "sent_outcome", forged)
    target = ProbeTarget(lab.url("http_404"), stream_id=7)
    result = probe(target, config.Probe(sample_seconds=0.5)).result
    assert (result.stream_id, result.reason, len(result.url_hash)) == (7, "http_404", 64)
