"""Isolation: work in a process of its own, so that a crash or a hang of libav ends that process and nothing else."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from streamflow.probing import sandbox

LOOK_SECONDS = 0.15
# A result with its thumbnail has some 40 KB.
MAX_MESSAGE_BYTES = 4_000_000
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

    The process enters the sandbox first. It is gone, with everything it has opened, when this returns or raises, and
    it ends with its parent. Messages and the result travel as JSON, so that a process that was taken over cannot send
    anything but data.

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
        end: tuple[bool, Any] = False, None
        while (received := _received(here)) is not None:
            is_result, message = received
            if is_result:
                end = received
                break
            try:
                on_message(message)
            except Exception as error:  # noqa: BLE001 - it is raised where the work was asked for
                end = False, error
                break
        results.put(end)


def _received(here: Connection) -> tuple[bool, Any] | None:
    """Return the next message and whether it is the result; None at the end, and for what is no message."""
    try:
        is_result, message = json.loads(here.recv_bytes(MAX_MESSAGE_BYTES))
    except (EOFError, OSError, ValueError, TypeError, RecursionError):
        return None
    return is_result is True, message


def _be_child(work: Callable[[Send], Any], there: Connection) -> NoReturn:
    status = 1
    try:
        # The parent's objects stay as they are: not collected, and none of its files held open.
        gc.freeze()
        os.closerange(_STANDARD, there.fileno())
        os.closerange(there.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sandbox.enter()
        threading.Thread(target=_end_with_parent, args=(there,), name="isolation", daemon=True).start()
        _send(there, True, work(lambda message: _send(there, False, message)))
        status = 0
    finally:
        os._exit(status)


def _send(there: Connection, is_result: bool, message: Any) -> None:
    there.send_bytes(json.dumps((is_result, message)).encode())


def _end_with_parent(there: Connection) -> None:
    """End when the pipe closes: the parent sends nothing, so its end is all that can be read."""
    try:
        there.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
