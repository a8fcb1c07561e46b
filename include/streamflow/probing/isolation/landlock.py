"""Landlock: the files, ports and processes that a process may still reach.

See ``Documentation/userspace-api/landlock.rst`` of Linux. A kernel without it leaves this guard out.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

# The same on every architecture.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _RULE_PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# All rights of version 1; later versions add moving between folders, truncating and device control.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_NET_VERSION = 4
# Abstract sockets of, and signals to, processes outside.
_SCOPES = 0b11
_SCOPE_VERSION = 6

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Return the version of Landlock that the kernel offers; 0 for none."""
    return max(0, int(_libc.syscall(_CREATE, None, 0, _VERSION_FLAG)))


def restrict(readable: Iterable[str], *, connects: bool) -> None:
    """Take from this process every right on files but reading ``readable``, and on other processes.

    ``PR_SET_NO_NEW_PRIVS`` must be set.

    :param readable: paths of files, and of folders with all that is in them.
    :param connects: whether it may connect to TCP ports.
    """
    offered = version()
    if not offered:
        return
    files = _FILE_RIGHTS[min(offered, max(_FILE_RIGHTS))]
    ports = (_BIND_TCP | (0 if connects else _CONNECT_TCP)) if offered >= _NET_VERSION else 0
    scopes = _SCOPES if offered >= _SCOPE_VERSION else 0
    # An older kernel takes a longer structure whose further members are zero.
    ruleset = _libc.syscall(_CREATE, struct.pack("=QQQ", files, ports, scopes), 24, 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "Landlock refuses its rules")
    for path in dict.fromkeys(map(os.path.realpath, readable)):
        _allow(ruleset, path)
    if _libc.syscall(_RESTRICT, ruleset, 0):
        raise OSError(ctypes.get_errno(), "Landlock refuses to restrict this process")
    os.close(ruleset)


def _allow(ruleset: int, path: str) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # It does not exist on this machine.
        return
    allowed = _READ_FILE | (_READ_DIR if Path(path).is_dir() else 0)
    _libc.syscall(_ADD, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", allowed, opened), 0)
    os.close(opened)
