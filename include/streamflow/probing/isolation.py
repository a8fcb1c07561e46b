"""Isolation: work in a process of its own, so that a crash or a hang of libav ends that and nothing else."""

from __future__ import annotations

import gc
import multiprocessing
import os
import queue
import resource
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NoReturn

LOOK_SECONDS = 0.15
# What the process may take in all; a decoder of the largest pictures that are let pass needs a third of it.
MEMORY_BYTES = 3_000_000_000
# Standard input, output and error.
_STANDARD = 3

Tell = Callable[[Any], None]


class Stopped(Exception):
    """The work was told to stop."""


class Hung(Exception):
    """The work was not done in time."""


class Crashed(Exception):
    """The work's process ended without an answer; ``signal`` is what ended it, None for an end by itself."""

    def __init__(self, by: signal.Signals | None) -> None:
        super().__init__(f"ended by {by.name if by else 'itself'}")
        self.signal = by


def apart(work: Callable[[Tell], Any], *, on_told: Tell, stop: threading.Event, longest_s: float) -> Any:
    """Call ``work`` in a forked process and return its answer.

    What it tells is handed to ``on_told`` in a thread of this process. The process, with whatever it has opened, is
    gone when this returns or raises: Stopped, Hung, Crashed, or what ``on_told`` raised. It ends with its parent too.
    """
    here, there = multiprocessing.Pipe()
    child = os.fork()
    if child == 0:
        _be_child(work, there)
    try:
        there.close()
        told: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(here, on_told, told), name="isolation", daemon=True).start()
        is_answer, answer = _awaited(told, stop, time.monotonic() + longest_s)
    finally:
        # What has ended already keeps the status that it ended with.
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if is_answer:
        return answer
    if answer is not None:
        raise answer
    raise Crashed(signal.Signals(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None)


def _awaited(told: queue.SimpleQueue[tuple[bool, Any]], stop: threading.Event, deadline: float) -> tuple[bool, Any]:
    while True:
        try:
            return told.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if stop.is_set():
                raise Stopped from None
            if time.monotonic() >= deadline:
                raise Hung from None


def _listen(here: Connection, on_told: Tell, told: queue.SimpleQueue[tuple[bool, Any]]) -> None:
    """Hand on what the child tells, until its answer, its end (False, None) or a fault of ``on_told``."""
    with here:
        try:
            while True:
                is_answer, what = here.recv()
                if is_answer:
                    return told.put((True, what))
                on_told(what)
        except (EOFError, OSError):
            told.put((False, None))
        except Exception as error:  # noqa: BLE001 - it is raised where the work was asked for
            told.put((False, error))


def _be_child(work: Callable[[Tell], Any], there: Connection) -> NoReturn:
    status = 1
    try:
        # What is the parent's stays as it is: neither collected, nor held open, nor handled by its handlers.
        gc.freeze()
        os.closerange(_STANDARD, there.fileno())
        os.closerange(there.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _bound()
        threading.Thread(target=_end_with_parent, args=(there,), name="isolation", daemon=True).start()
        there.send((True, work(lambda what: there.send((False, what)))))
        status = 0
    finally:
        os._exit(status)


def _bound() -> None:
    """No more memory than is needed, and no dump of it: that would hold the URL."""
    for limit, most in ((resource.RLIMIT_DATA, MEMORY_BYTES), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(limit)
        within = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (within, within))


def _end_with_parent(there: Connection) -> None:
    """The parent tells nothing: what can be read is its end."""
    try:
        there.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
