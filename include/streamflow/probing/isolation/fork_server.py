"""The fork server: a process with a clean environment that starts the processes of each probe.

It is executed once a worker, loads the probe's modules and forks for each job, which costs some milliseconds. No
process of a probe therefore holds what a worker has in its memory, its environment or its open files. The server
itself never reads a job's requests: they contain the URLs of all streams, and a decoder inherits its memory.

It ends when the last process that holds the other end of its socket has ended, and its children with it.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import NoReturn

from streamflow.probing.isolation import memory, sandbox, seccomp

MAX_ORDER_BYTES = 1000
# Memory of a job that decodes the largest usual pictures (2160 lines), and the time after which it takes as much.
# Without this memory a job waits for others to end.
JOB_BYTES = 120_000_000
SETTLE_SECONDS = 5.0
# While jobs wait, the memory is looked at this often.
LOOK_SECONDS = 0.5
# The first byte to the caller: its processes are about to run. Reports of their ends follow, a line each.
TAKEN = b"\n"
# The caller's control socket, and a channel for each process.
MAX_DESCRIPTORS = 3
# Standard input, output and error.
_STANDARD = 3


@dataclass(frozen=True)
class Role:
    """What a process of a probe does.

    :param profile: the sandbox that it enters first.
    :param run: is called with the channel to the caller, and with that to the job's other process, if there is one.
    :param memory_bytes: the most memory that it needs beyond the server's.
    """

    profile: seccomp.Filter
    run: Callable[[Connection, Connection | None], None]
    memory_bytes: int = sandbox.MEMORY_BYTES


@dataclass(eq=False)
class _Job:
    """A probe: its processes' names with their sockets until it starts, then the running ones by their ids."""

    names: list[str]
    cpu_s: int
    control: socket.socket
    channels: list[int]
    started: float = 0.0
    running: dict[int, str] = field(default_factory=dict)


def serve(orders: socket.socket, roles: Mapping[str, Role]) -> None:
    """Start the processes that are ordered, report how each ends, and end those whose caller is gone.

    :param orders: receives messages, each the names of a job's roles with the sockets for them.
    """
    _Server(orders, roles).run()


class _Server:
    def __init__(self, orders: socket.socket, roles: Mapping[str, Role]) -> None:
        self._orders = orders
        self._roles = roles
        self._jobs: list[_Job] = []
        self._waiting: deque[_Job] = deque()
        self._selector = selectors.DefaultSelector()
        self._memory_bytes = sandbox.memory_bytes()

    def run(self) -> None:
        gc.collect()
        # The objects that all children share stay as they are, and with them their pages.
        gc.freeze()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        woken, waker = socket.socketpair()
        for one in (woken, waker):
            one.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(woken, selectors.EVENT_READ)
        self._selector.register(self._orders, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select(LOOK_SECONDS if self._waiting else None):
                if key.fileobj is woken:
                    with suppress(BlockingIOError):
                        woken.recv(4096)
                    self._reap()
                elif key.fileobj is self._orders:
                    if not self._take_order():
                        return
                else:
                    self._end(key.data)
            while self._waiting and self._has_memory():
                self._start(self._waiting.popleft())

    def _take_order(self) -> bool:
        """Let a job wait for its start; return False when no process can order any more."""
        order, descriptors, _, _ = socket.recv_fds(self._orders, MAX_ORDER_BYTES, MAX_DESCRIPTORS)
        if not order:
            return False
        names, cpu_s = json.loads(order)
        control, *channels = descriptors
        self._waiting.append(_Job(names, int(cpu_s), socket.socket(fileno=control), channels))
        return True

    def _has_memory(self) -> bool:
        """Return whether the memory that there is suffices for one more job beside those that still grow."""
        growing = sum(time.monotonic() - job.started < SETTLE_SECONDS for job in self._jobs)
        return not self._jobs or memory.available_bytes() >= JOB_BYTES * (growing + 1)

    def _start(self, job: _Job) -> None:
        self._jobs.append(job)
        self._selector.register(job.control, selectors.EVENT_READ, job)
        try:
            # The caller may have given up before.
            if not _has_gone(job.control):
                job.control.send(TAKEN)
                self._fork(job)
        except OSError:
            # Its caller has just gone, or the machine has no process or descriptor left: the job is ended.
            self._end(job)
        finally:
            for descriptor in job.channels:
                os.close(descriptor)
        if not job.running:
            self._forget(job)

    def _fork(self, job: _Job) -> None:
        server, job.started = os.getpid(), time.monotonic()
        ends = [end.detach() for end in socket.socketpair()] if len(job.names) > 1 else []
        try:
            for index, name in enumerate(job.names):
                role = self._roles[name]
                bounds = sandbox.Bounds(min(self._memory_bytes, role.memory_bytes), job.cpu_s)
                child = os.fork()
                if child == 0:
                    _become(role, bounds, job.channels[index], ends[index] if ends else None, server)
                job.running[child] = name
        finally:
            for descriptor in ends:
                os.close(descriptor)

    def _end(self, job: _Job) -> None:
        """End the processes of a job: its caller never sends anything, so its end is all that can be read."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(job.control)
        for child in job.running:
            os.kill(child, signal.SIGKILL)
        if not job.running:
            self._forget(job)

    def _reap(self) -> None:
        while True:
            try:
                child, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not child:
                return
            for job in [one for one in self._jobs if child in one.running]:
                report = {"role": job.running.pop(child), "status": status, "peak_kb": used.ru_maxrss}
                with suppress(OSError):
                    job.control.send(f"{json.dumps(report)}\n".encode(), socket.MSG_DONTWAIT)
                if not job.running:
                    self._forget(job)

    def _forget(self, job: _Job) -> None:
        """Close what is left of a job; it may be forgotten already, when several ends are noticed at once."""
        if job in self._jobs:
            self._jobs.remove(job)
        with suppress(KeyError, ValueError):
            self._selector.unregister(job.control)
        job.control.close()


def _has_gone(control: socket.socket) -> bool:
    try:
        return not control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def _become(role: Role, bounds: sandbox.Bounds, channel: int, other: int | None, server: int) -> NoReturn:
    status = 1
    try:
        sandbox.end_with_parent(signal.SIGKILL)
        if os.getppid() != server:
            # It ended before it could have been noticed.
            os._exit(status)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _keep_open([channel] if other is None else [channel, other])
        sandbox.enter(role.profile, bounds)
        role.run(Connection(channel), None if other is None else Connection(other))
        status = 0
    finally:
        os._exit(status)


def _keep_open(descriptors: list[int]) -> None:
    """Close all other descriptors but the standard streams, which lead to /dev/null."""
    begin = _STANDARD
    for descriptor in sorted(descriptors):
        os.closerange(begin, descriptor)
        begin = descriptor + 1
    os.closerange(begin, os.sysconf("SC_OPEN_MAX"))
