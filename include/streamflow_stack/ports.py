"""Free ports, this machine's loopback address, and addresses that other machines reach."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address

from streamflow.errors import StreamFlowError

ATTEMPTS = 50
_LAST_PORT = 65_535
_LOOPBACKS = ("127.0.0.1", "::1")
# Servers that listen on all addresses of one kind are reached by the loopback address of that kind.
_WILDCARDS = dict(zip(("0.0.0.0", "::"), _LOOPBACKS, strict=True))  # noqa: S104 - nothing is bound here


class NoFreePort(StreamFlowError):
    """All ports of a range are in use."""


class UnusableAddress(StreamFlowError):
    """No server of this machine can listen on an address."""


@cache
def loopback() -> str:
    """Return the loopback address of this machine: the one of IPv6 where IPv4 has none.

    :raises UnusableAddress: There is neither.
    """
    for host in _LOOPBACKS:
        try:
            _bind(host, 0, socket.SOCK_STREAM).close()
        except UnusableAddress:
            continue
        return host
    raise UnusableAddress("this machine has no loopback address: run `ip link set lo up`")


def reachable(bind: str) -> str:
    """Return the host by which this machine reaches a server that listens on an address."""
    return _WILDCARDS.get(bind, bind)


def url_host(host: str) -> str:
    """Return a host as URLs write it: IPv6 addresses in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def is_free(port: int, host: str | None = None) -> bool:
    """Return whether a server could listen on a port now.

    :param host: the address that it listens on; by default the loopback address.
    :raises UnusableAddress: No server can listen on that address.
    """
    try:
        _bind(host or loopback(), port, socket.SOCK_STREAM).close()
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
    raise NoFreePort(
        f"ports {port} to {last} are all in use, or need the rights of root; choose another one with --port"
    )


@contextmanager
def reserved(port: int, host: str) -> Iterator[int]:
    """Reserve a port, or the first free one of the fifty from it on, until the end of the block.

    A server may listen on the port meanwhile. Airflow does so seconds after its start: until then, another stack that
    starts would choose the same port. A UDP socket with the port's number keeps it away.

    :param host: the address that the server listens on.
    :raises NoFreePort: All of them are in use.
    :raises UnusableAddress: No server can listen on that address.
    """
    held: list[socket.socket] = []

    def holds(candidate: int) -> bool:
        if not is_free(candidate, host):
            return False
        try:
            held.append(_bind(host, candidate, socket.SOCK_DGRAM))
        except OSError:
            return False
        # The program that this process may become keeps the port (see standby).
        held[-1].set_inheritable(True)
        return True

    try:
        yield next_free(port, holds)
    finally:
        for one in held:
            one.close()


def any_free() -> int:
    """Return a port that no server uses now."""
    with _bind(loopback(), 0, socket.SOCK_STREAM) as probe:
        return int(probe.getsockname()[1])


def _bind(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """Return a socket that is bound to an address.

    :raises UnusableAddress: This machine does not have that address.
    :raises OSError: The port is in use, or not permitted.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(family, kind)
    except OSError as error:
        raise UnusableAddress(f"{host} is no address of this machine: {error.strerror}") from error
    try:
        if kind is socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            # Event loops do the same: a server on "::" leaves IPv4 to others.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise UnusableAddress(f"{host} is no address of this machine: {error.strerror}") from error
        raise
    return bound


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
