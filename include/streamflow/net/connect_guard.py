"""Connections that a library opens by itself, such as libav's for a redirect, decided one by one.

The kernel stops each call of ``connect(2)`` by the guarded thread and asks (``seccomp_unotify(2)``, Linux 5.5). Another
thread of the same process reads the address and decides. It is a guard against where a server leads, not against a
library that was taken over: that could change the address after the decision.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import ipaddress
import os
import platform
import queue
import select
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpcore

from streamflow.net.address_policy import ForbiddenAddressError

Decide = Callable[[str, int], object]
"""Raises ForbiddenAddressError for an address and port that may not be reached."""

_LOOK_MILLISECONDS = 200
_RESOLVER_PORT = 53
_RESOLVERS = Path("/etc/resolv.conf")
_LARGEST_ADDRESS = 128

# AUDIT_ARCH_*, then the numbers of connect(2) and of seccomp(2).
_ARCHITECTURES = {"x86_64": (0xC000003E, 42, 317), "aarch64": (0xC00000B7, 203, 277)}
_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3
# Berkeley packet filter: load a word, jump if equal, return.
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ASK = 0x7FFF_0000, 0x7FC0_0000
# Offsets in ``struct seccomp_data``.
_CALL_NUMBER, _ARCHITECTURE = 0, 4
# ``struct seccomp_notif``: id, process, flags, call, architecture, instruction, six arguments.
_QUESTION = struct.Struct("=QIIiIQ6Q")
# ``struct seccomp_notif_resp``: id, value, error, flags.
_ANSWER = struct.Struct("=QqiI")
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1

_libc = ctypes.CDLL(None, use_errno=True)


class ConnectGuard:
    """Asks ``decide`` before each connection of the thread that calls :meth:`guard`, and of threads that it starts.

    Look-ups of names pass: datagrams to the resolvers of ``resolv.conf``. Enter it in a thread that is not guarded.
    """

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._resolvers = resolvers()
        self._listener: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._is_over = threading.Event()
        #: The first address that was refused.
        self.refused: ForbiddenAddressError | None = None

    def __enter__(self) -> Self:
        # It must not inherit the filter, or its own look-ups would wait for itself.
        threading.Thread(target=self._answer_all, name="connect guard", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._listener.put(None)

    def guard(self) -> bool:
        """Guard the calling thread for the rest of its life; return False where the kernel cannot."""
        listener = _install()
        if listener is not None:
            self._listener.put(listener)
        return listener is not None

    def _answer_all(self) -> None:
        listener = self._listener.get()
        if listener is None:
            return
        waiting = select.poll()
        waiting.register(listener, select.POLLIN)
        try:
            # Without a thread that still runs under the filter, the listener hangs up.
            while not self._is_over.is_set():
                for _, event in waiting.poll(_LOOK_MILLISECONDS):
                    if event & select.POLLHUP:
                        return
                    self._answer(listener)
        finally:
            # From here on the kernel refuses the thread's connections.
            os.close(listener)

    def _answer(self, listener: int) -> None:
        question = bytearray(_QUESTION.size)
        try:
            fcntl.ioctl(listener, _RECEIVE, question)
        except OSError:
            # The thread has ended, or a signal has interrupted its call.
            return
        number, *_, descriptor, pointer, length, _, _, _ = _QUESTION.unpack(question)
        address = ctypes.string_at(pointer, min(length, _LARGEST_ADDRESS))
        is_permitted = self._is_permitted(descriptor, address)
        answer = (number, 0, 0, _CONTINUE) if is_permitted else (number, 0, -errno.EACCES, 0)
        try:
            fcntl.ioctl(listener, _SEND, bytearray(_ANSWER.pack(*answer)))
        except OSError:
            return

    def _is_permitted(self, descriptor: int, address: bytes) -> bool:
        place = _place(address)
        if place is None:
            return False
        if place[1] == _RESOLVER_PORT and place[0] in self._resolvers and _is_datagram(descriptor):
            return True
        try:
            self._decide(*place)
        except (ForbiddenAddressError, httpcore.ConnectError) as error:
            if self.refused is None and isinstance(error, ForbiddenAddressError):
                self.refused = error
            return False
        return True


def is_available() -> bool:
    """Return whether this kernel can guard a thread."""
    found: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: found.put(_install())).start()
    listener = found.get()
    if listener is not None:
        os.close(listener)
    return listener is not None


def resolvers(file: Path = _RESOLVERS) -> frozenset[str]:
    """Return the addresses of the system's name servers (``resolv.conf(5)``)."""
    try:
        words = [line.split() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        words = []
    return frozenset(word[1].partition("%")[0] for word in words if len(word) > 1 and word[0] == "nameserver") or (
        frozenset({"127.0.0.1"})
    )


def _install() -> int | None:
    """Have the kernel ask about the calls of this thread; return the descriptor of the questions."""
    if platform.machine() not in _ARCHITECTURES:
        return None
    architecture, connect, seccomp = _ARCHITECTURES[platform.machine()]
    program = b"".join(
        struct.pack("=HBBI", code, if_true, if_false, operand)
        for code, if_true, if_false, operand in (
            (_LOAD, 0, 0, _ARCHITECTURE),
            (_IF_EQUAL, 0, 3, architecture),
            (_LOAD, 0, 0, _CALL_NUMBER),
            (_IF_EQUAL, 0, 1, connect),
            (_RETURN, 0, 0, _ASK),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    listener = int(_libc.syscall(seccomp, _SET_MODE_FILTER, _NEW_LISTENER, header))
    return listener if listener >= 0 else None


def _place(address: bytes) -> tuple[str, int] | None:
    """Return address and port in a ``sockaddr``; None for other families than those of the internet."""
    if len(address) < struct.calcsize("=H"):
        return None
    (family,) = struct.unpack_from("=H", address)
    if family == socket.AF_INET and len(address) >= 8:
        port, host = struct.unpack_from("!2xH4s", address)
        return str(ipaddress.IPv4Address(host)), port
    if family == socket.AF_INET6 and len(address) >= 24:
        port, host = struct.unpack_from("!2xH4x16s", address)
        return str(ipaddress.IPv6Address(host)), port
    return None


def _is_datagram(descriptor: int) -> bool:
    with socket.socket(fileno=os.dup(descriptor)) as same:
        return same.type == socket.SOCK_DGRAM
