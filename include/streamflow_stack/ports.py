"""Free ports on the loopback interface, and addresses that other machines reach."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_address

from streamflow.errors import StreamFlowError

LOOPBACK = "127.0.0.1"
ATTEMPTS = 50
_LAST_PORT = 65_535


class NoFreePort(StreamFlowError):
    """All ports of a range are in use."""


def is_free(port: int) -> bool:
    """Return whether a server could listen on a loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def next_free(port: int, free: Callable[[int], bool] = is_free) -> int:
    """Return a port, or the first free one of the fifty from it on.

    :raises NoFreePort: All of them are in use.
    """
    last = min(port + ATTEMPTS - 1, _LAST_PORT)
    for candidate in range(port, last + 1):
        if free(candidate):
            return candidate
    raise NoFreePort(f"ports {port} to {last} are all in use; choose another one with --port")


def any_free() -> int:
    """Return a port that no server uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def exposure(env: Mapping[str, str]) -> str:
    """Return a warning when ``STREAMFLOW_BIND`` publishes a container's port to other machines; else nothing."""
    address = env.get("STREAMFLOW_BIND", "").strip("[]")
    if not address or is_loopback(address):
        return ""
    return (
        f"STREAMFLOW_BIND publishes the UI on {address} without TLS, so its password can be read on the network. "
        "Use a reverse proxy with TLS, except on a network that you alone use"
    )


def is_loopback(host: str) -> bool:
    """Return whether a host, by name or address, is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
