"""The caller's side: work in processes of the fork server, so that a crash or a hang of libav ends nothing else."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from streamflow.probing.isolation import memory, messages

LOOK_SECONDS = 0.15
# The server ends the processes of a job within milliseconds; on a machine without a free core it takes longer.
END_SECONDS = 10.0
# When one process of a job has ended, the other one ends by itself within this time.
FOLLOW_SECONDS = 2.0
# A job waits this long for memory.
START_SECONDS = 30.0
# Variables without secrets that libraries read.
KEPT_VARIABLES = frozenset({"LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH"})
ENTRY = "streamflow.probing.processes"
# Each thread that fetches would otherwise reserve a heap of its own.
_VARIABLES = {"MALLOC_ARENA_MAX": "2"}
_BOOT = str(Path(__file__).with_name("boot.py"))

OnMessage = Callable[[Any], None]


class Stopped(Exception):
    """The caller stopped the work."""


class Hung(Exception):
    """The work did not end in time."""


class Crowded(Exception):
    """The work did not start, since the memory did not suffice for it beside other work."""


class Crashed(Exception):
    """A process of the work ended without a result.

    ``role`` is the one that did, ``signal`` what ended it, None where it ended by itself. ``lacked_memory`` is true
    where the kernel ended it for want of memory.
    """

    def __init__(self, role: str, by: signal.Signals | None, *, lacked_memory: bool = False) -> None:
        super().__init__(f"{role} ended by {by.name if by else 'itself'}")
        self.role = role
        self.signal = by
        self.lacked_memory = lacked_memory


@dataclass(frozen=True)
class End:
    """The end of a process: its status as ``wait(2)`` returns it, and the most memory that it had."""

    role: str
    status: int
    peak_kb: int


@dataclass(frozen=True)
class ForkServer:
    """A running fork server; processes that are forked from its owner use it too."""

    orders: socket.socket
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, entry: str = ENTRY) -> ForkServer:
        """Execute a server.

        :param entry: the module whose ``main`` serves.
        """
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folders = [str(Path(folder).absolute()) for folder in sys.path]
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        with there:
            process = subprocess.Popen(
                # -I: no variable and no folder of the user decides what is loaded; -B: nothing is written.
                [sys.executable, "-I", "-S", "-B", _BOOT, entry, str(there.fileno()), *folders],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                env=kept | _VARIABLES,
                cwd="/",
                # Signals to the worker's group do not end probes whose tasks may still end in order.
                start_new_session=True,
            )
        return cls(here, process)

    def order(self, roles: list[str], cpu_s: float, descriptors: list[int]) -> None:
        """Have processes started.

        :param descriptors: the server's end of the control socket, and of a channel for each role.
        :raises OSError: when the server is gone.
        """
        socket.send_fds(self.orders, [json.dumps([roles, round(cpu_s) + 1]).encode()], descriptors)


_server: ForkServer | None = None
_lock = threading.Lock()


def prepare() -> None:
    """Start the fork server of this process and of those that it forks, unless there is one."""
    _running(None)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _ordered(roles: list[str], cpu_s: float, descriptors: list[int]) -> None:
    """Order from the server; from another one when it has ended.

    :raises Crashed: when the other one has ended too, or none can be started.
    """
    try:
        server = _running(None)
        try:
            server.order(roles, cpu_s, descriptors)
        except OSError:
            _running(server).order(roles, cpu_s, descriptors)
    except OSError as error:
        raise Crashed("fork server", None) from error


def _running(ended: ForkServer | None) -> ForkServer:
    """Return the server of this process, a new one where there is none or it has ``ended``."""
    global _server
    with _lock:
        # Another thread may have replaced it already: a server that is replaced ends, and its jobs with it.
        if _server is None or _server is ended:
            _server = ForkServer.start()
        return _server


def isolated(requests: Mapping[str, Any], *, on_message: OnMessage, stop: threading.Event, longest_s: float) -> Any:
    """Run a job in processes of its own and return the result of the last one.

    The processes are gone, with everything that they have opened, when this returns or raises, and they end with this
    process. Requests, messages and the result travel as JSON.

    :param requests: the request of each process by its role.
    :param on_message: is called with each message of the last process, in a thread of this process.
    :param stop: ends the work when it is set.
    :param longest_s: seconds after which the work is ended.
    :raises Stopped: when ``stop`` was set.
    :raises Hung: when the work took longer than ``longest_s``.
    :raises Crowded: when there was no memory to start it.
    :raises Crashed: when a process ended without a result.
    :raises Exception: what ``on_message`` raised.
    """
    kills = memory.kills()
    pairs = [socket.socketpair() for _ in range(len(requests) + 1)]
    (control, _), *channels = pairs
    try:
        _ordered(list(requests), longest_s, [there.fileno() for _, there in pairs])
        for _, there in pairs:
            there.close()
        connections = [Connection(here.detach()) for here, _ in channels]
        try:
            for connection, request in zip(connections, requests.values(), strict=True):
                _send_request(connection, request)
            is_result, result = _awaited(control, connections[-1], on_message, stop, longest_s)
            if is_result:
                return result
            if result is not None:
                raise result
            ends = _reports(control, FOLLOW_SECONDS)
        finally:
            for connection in connections[:-1]:
                connection.close()
            control.shutdown(socket.SHUT_WR)
            if _is_taken(control):
                _reports(control, END_SECONDS)
    finally:
        for here, there in pairs:
            here.close()
            there.close()
    raise _crash(ends, lacked_memory=memory.kills() > kills)


def _send_request(connection: Connection, request: Any) -> None:
    try:
        messages.send(connection, request)
    except OSError:
        # The process has ended already; its end is reported.
        return


def _crash(ends: list[End], *, lacked_memory: bool) -> Crashed:
    """Return how the job ended: the first process that a signal has ended, since the other one then ends by itself."""
    for end in ends:
        if os.WIFSIGNALED(end.status):
            by = signal.Signals(os.WTERMSIG(end.status))
            return Crashed(end.role, by, lacked_memory=lacked_memory and by == signal.SIGKILL)
    return Crashed(ends[0].role if ends else "probe", None)


def _is_taken(control: socket.socket) -> bool:
    """Return whether processes of the job may run: a server that is still loading drops it."""
    try:
        control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return True


def _reports(control: socket.socket, seconds: float) -> list[End]:
    """Wait until all processes of a job have ended, and return how each did."""
    control.settimeout(seconds)
    reports = b""
    try:
        while received := control.recv(4096):
            reports += received
    except TimeoutError:
        # The caller ends the others.
        pass
    return [End(**json.loads(report)) for report in filter(None, reports.splitlines())]


def _awaited(
    control: socket.socket, connection: Connection, on_message: OnMessage, stop: threading.Event, longest_s: float
) -> tuple[bool, Any]:
    results: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, on_message, results), name="isolation", daemon=True).start()
    ordered, is_taken = time.monotonic(), False
    while True:
        try:
            return results.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            waited = time.monotonic() - ordered
            is_taken = is_taken or _is_taken(control)
            if stop.is_set():
                raise Stopped from None
            if waited >= START_SECONDS and not is_taken:
                raise Crowded from None
            if waited >= longest_s:
                raise Hung from None


def _listen(connection: Connection, on_message: OnMessage, results: queue.SimpleQueue[tuple[bool, Any]]) -> None:
    """Pass on messages until the result, the end (False, None) or a fault of ``on_message``."""
    with connection:
        end: tuple[bool, Any] = False, None
        while (received := _received(connection)) is not None:
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


def _received(connection: Connection) -> tuple[bool, Any] | None:
    """Return whether the next message is the result, and the message; None at the end, and for what is no message."""
    try:
        is_result, message = messages.receive(connection)
    except (EOFError, TypeError, ValueError):
        return None
    return is_result is True, message
