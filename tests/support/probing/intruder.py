"""A decoder that was taken over: a fork server's entry whose decoder tries to get out before its first picture.

The stream's name says which process belongs to the test. What the attempts found becomes the detail of the result.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamflow.probing import decoder, processes
from streamflow.probing.judgement.refusal import Refusal
from streamflow.probing.media.luma import Scaler

_PTRACE_ATTACH = 16
_libc = ctypes.CDLL(None, use_errno=True)


def _called(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")


def _attempts(caller: int) -> dict[str, Callable[[], Any]]:
    thread = threading.Thread(target=print)
    return {
        "read": lambda: Path("/etc/passwd").read_text(),
        "write": lambda: Path("/dev/shm/streamflow-intruder").write_text("x"),
        "look": lambda: Path("/etc/passwd").stat(),
        "list": lambda: next(Path("/").iterdir()),
        "tcp": lambda: socket.socket(),
        "unix": lambda: socket.socket(socket.AF_UNIX),
        "memory": lambda: Path(f"/proc/{caller}/mem").read_bytes(),
        "environ": lambda: Path(f"/proc/{caller}/environ").read_bytes(),
        "ptrace": lambda: _called(_libc.ptrace(_PTRACE_ATTACH, caller, 0, 0)),
        "kill": lambda: os.kill(caller, 0),
        "fork": os.fork,
        "thread": thread.start,
        "exec": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
        "memfd": lambda: os.memfd_create("x"),
        "program": lambda: _called(-1 if _libc.mprotect(ctypes.c_void_p(id(caller) & ~0xFFF), 4096, 7) else 0),
    }


def _try_all(caller: int) -> str:
    return " ".join(f"{name}:{_outcome(attempt)}" for name, attempt in _attempts(caller).items())


def _outcome(attempt: Callable[[], Any]) -> str:
    try:
        attempt()
    except PermissionError:
        return "refused"
    except (OSError, RuntimeError) as error:
        return "refused" if "start new thread" in str(error) else type(error).__name__
    return "done"


def main(orders: int) -> None:
    """Serve like the real entry, with a decoder that tries everything."""
    judge = decoder.Judge

    class Intruder(judge):  # type: ignore[misc, valid-type]
        def __init__(self, request: Any, channel: Any) -> None:
            super().__init__(request, channel)

            def small(*_: object) -> None:
                raise Refusal("unknown", "internal_error", _try_all(int(request.name)))

            Scaler.small = small  # type: ignore[method-assign, assignment]

    decoder.Judge = Intruder  # type: ignore[misc]
    processes.main(orders)
