"""Loopback ports: which are taken, and which come next."""

from __future__ import annotations

import socket
from collections.abc import Callable

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def next_free(port: int, free: Callable[[int], bool] = is_free) -> int:
    """``port`` or the first free one after it; raises OSError when the next fifty are all taken."""
    for candidate in range(port, min(port + 50, 65_536)):
        if free(candidate):
            return candidate
    raise OSError(f"ports {port} to {port + 49} are all taken; give another with --port")


def any_free() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
