"""Isolation: work in a process of its own, so that a crash or a hang of libav ends that process and nothing else."""

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
# The memory that the process may take; a decoder of the largest permitted pictures needs a third of it.
MEMORY_BYTES = 3_000_000_000
# Standard input, output and error.
_STANDARD = 3

Send = Callable[[Any], None]


class Stopped(Exception):
    """The caller stopped the work."""


class Hung(Exception):
    """The work did not end in time."""


class Crashed(Exception):
    """The work's process ended without a result; ``signal`` is what ended it, None where it ended by itself."""

    def __init__(self, by: signal.Signals | None) -> None:
        super().__init__(f"ended by {by.name if by else 'itself'}")
        self.signal = by


def isolated(work: Callable[[Send], Any], *, on_message: Send, stop: threading.Event, longest_s: float) -> Any:
    """Call ``work`` in a forked process and return its result.

    The process, with everything it has opened, is gone when this returns or raises. It ends with its parent too.

    :param work: is called with a function that sends a message to this process.
    :param on_message: is called with each message, in a thread of this process.
    :param stop: ends the work when it is set.
    :param longest_s: seconds after which the work is ended.
    :raises Stopped: when ``stop`` was set.
    :raises Hung: when the work took longer than ``longest_s``.
    :raises Crashed: when the process ended without a result.
    :raises Exception: what ``on_message`` raised.
    """
    here, there = multiprocessing.Pipe()
    child = os.fork()
    if child == 0:
        _be_child(work, there)
    try:
        there.close()
        results: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(here, on_message, results), name="isolation", daemon=True).start()
        is_result, result = _awaited(results, stop, time.monotonic() + longest_s)
    finally:
        # A process that has ended keeps the status it ended with.
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if is_result:
        return result
    if result is not None:
        raise result
    raise Crashed(signal.Signals(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None)


def _awaited(results: queue.SimpleQueue[tuple[bool, Any]], stop: threading.Event, deadline: float) -> tuple[bool, Any]:
    while True:
        try:
            return results.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if stop.is_set():
                raise Stopped from None
            if time.monotonic() >= deadline:
                raise Hung from None


def _listen(here: Connection, on_message: Send, results: queue.SimpleQueue[tuple[bool, Any]]) -> None:
    """Pass on the child's messages until its result, its end (False, None) or a fault of ``on_message``."""
    with here:
        try:
            while True:
                is_result, message = here.recv()
                if is_result:
                    return results.put((True, message))
                on_message(message)
        except (EOFError, OSError):
            results.put((False, None))
        except Exception as error:  # noqa: BLE001 - it is raised where the work was asked for
            results.put((False, error))


def _be_child(work: Callable[[Send], Any], there: Connection) -> NoReturn:
    status = 1
    try:
        # The parent's objects stay as they are: not collected, and none of its files held open.
        gc.freeze()
        os.closerange(_STANDARD, there.fileno())
        os.closerange(there.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _limit_resources()
        threading.Thread(target=_end_with_parent, args=(there,), name="isolation", daemon=True).start()
        there.send((True, work(lambda message: there.send((False, message)))))
        status = 0
    finally:
        os._exit(status)


def _limit_resources() -> None:
    """Allow no more memory than is needed, and no dump of it: that would hold the URL."""
    for limit, most in ((resource.RLIMIT_DATA, MEMORY_BYTES), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(limit)
        within = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (within, within))


def _end_with_parent(there: Connection) -> None:
    """End when the pipe closes: the parent sends nothing, so its end is all that can be read."""
    try:
        there.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
