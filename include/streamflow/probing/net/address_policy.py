"""The guard of all connections: which addresses may be reached, and that none but those are."""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Iterable
from typing import Any

import httpcore

from streamflow.probing.judgement.refusal import cancelled
from streamflow.probing.net import proxy
from streamflow.probing.net.coalescing import CoalescingStream

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(Exception):
    """A public address led to one that only this network can reach."""


class NameNotFoundError(httpcore.ConnectError):
    """The host's name could not be resolved."""


def is_inner(address: str) -> bool:
    """Whether an IP address is loopback, link-local, private or otherwise not of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or (ipaddress.IPv4Address(ip.packed[12:]) if ip in _NAT64 else ip)
    return not ip.is_global or ip.is_multicast


def names_inner(host: str) -> bool:
    """Whether a host's name alone says that it is of this network."""
    try:
        return is_inner(host)
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".lan"))


def resolve(host: str, port: int, timeout: float | None) -> list[str]:
    """The host's IP addresses. The system's resolver knows no time-out, so it is waited for in a thread."""
    found: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put(list(dict.fromkeys(str(answer[4][0]) for answer in answers)))
        except (OSError, UnicodeError) as error:
            found.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = found.get(timeout=timeout)
    except queue.Empty:
        raise NameNotFoundError(f"{host} was not resolved in {timeout:g} s") from None
    if isinstance(answer, OSError):
        raise NameNotFoundError(f"{host} cannot be resolved")
    return answer


class Connector(httpcore.NetworkBackend):
    """Connects to the very addresses that were checked, so that no second look-up can change them.

    Where a proxy is given all goes to that, which is the user's own and may be anywhere.
    """

    def __init__(self, through: proxy.Proxy | None = None) -> None:
        self._plain = httpcore.SyncBackend()
        self._proxy = through
        self._inner_allowed: bool | None = None
        self.socket: socket.socket | None = None
        self.closed = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        if self._proxy is None:
            return self._connected(host, port, timeout, local_address, socket_options)
        try:
            stream = self._connected(self._proxy.host, self._proxy.port, timeout, local_address, socket_options)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise httpcore.ProxyError("the proxy cannot be reached") from error
        if self._proxy.is_socks:
            proxy.tunnel(stream, self._proxy, host, port, timeout)
        return stream

    def refuse_inner(self, host: str) -> None:
        """Of what a proxy is to reach, the name alone is known here: the first decides as the first address does."""
        inner = names_inner(host)
        if self._inner_allowed is None:
            self._inner_allowed = inner
        if inner and not self._inner_allowed:
            raise ForbiddenAddressError(f"a redirect or playlist leads to {host}, which is not on the public internet")

    def _connected(
        self,
        host: str,
        port: int,
        timeout: float | None,
        local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore.NetworkStream:
        addresses = resolve(host, port, timeout)
        inner = [is_inner(address) for address in addresses]
        if self._proxy is None and self._inner_allowed is None:
            # People run local proxies: a stream whose own address is on this network may lead on within it.
            self._inner_allowed = all(inner)
        if self._proxy is None and any(inner) and not self._inner_allowed:
            raise ForbiddenAddressError(f"a redirect or playlist leads to {host}, which is not on the public internet")
        failure: Exception | None = None
        for address in addresses:
            try:
                # All of its addresses together have the time of one.
                share = timeout / len(addresses) if timeout else None
                stream = self._plain.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                self.socket = stream.get_extra_info("socket")
                if self.closed:
                    stream.close()
                    raise cancelled()
                return CoalescingStream(stream)
        raise failure or NameNotFoundError(f"{host} has no address")
