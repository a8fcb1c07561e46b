"""The line of this machine to the internet, which canaries tell from a provider that is down."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

TIMEOUT_SECONDS = 3.0


def is_up(canaries: Sequence[str], timeout: float = TIMEOUT_SECONDS) -> bool:
    """Return whether at least one canary accepts a TCP connection. Without canaries the line counts as up.

    :param canaries: addresses as ``host:port``.
    :param timeout: seconds for each connection. All connections are opened at once.
    """
    if not canaries:
        return True
    with ThreadPoolExecutor(len(canaries)) as pool:
        return any(pool.map(lambda canary: _accepts(canary, timeout), canaries))


def _accepts(canary: str, timeout: float) -> bool:
    host, _, port = canary.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout).close()
    except OSError:
        return False
    return True
