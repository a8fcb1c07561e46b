"""Connections to permitted addresses, directly or through a proxy."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import httpcore

from streamflow.net import dialing
from streamflow.net.egress import Egress
from streamflow.probing.judgement.refusal import cancelled
from streamflow.probing.net import proxy
from streamflow.probing.net.coalescing import CoalescingStream
from streamflow.probing.net.response_head import LenientStream, ReadTimeout


class Connector(httpcore.NetworkBackend):
    """Connects to the addresses that the egress has checked, so that no second look-up can change them.

    A proxy is the user's own and may be on any network. The egress then checks the name that the proxy is asked for.
    """

    def __init__(self, egress: Egress, read_timeout: ReadTimeout, through: proxy.ProxyAddress | None = None) -> None:
        self._backend = httpcore.SyncBackend()
        self._egress = egress
        self._read_timeout = read_timeout
        self._proxy = through
        self._socket: socket.socket | None = None
        self.is_closed = False

    def close(self) -> None:
        """Shut the connection down, also while another thread reads from it; later ones close at once."""
        self.is_closed = True
        try:
            if self._socket:
                self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            # It is closed already.
            self._socket = None

    def check_before_proxy(self, host: str, port: int) -> None:
        """Check the name that a proxy will resolve; does nothing without a proxy.

        :raises ForbiddenAddressError: when it is not permitted.
        """
        if self._proxy:
            self._egress.check_name(host, port)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a host, or to the proxy in its place (the interface of httpcore)."""
        if self._proxy is None:
            addresses = self._egress.resolve(host, port, timeout)
            return self._wrapped(self._connected(addresses, port, timeout, local_address, socket_options))
        try:
            addresses = self._egress.resolve_proxy(self._proxy.host, self._proxy.port, timeout)
            stream = self._connected(addresses, self._proxy.port, timeout, local_address, socket_options)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise httpcore.ProxyError("the proxy cannot be reached") from error
        if self._proxy.is_socks:
            proxy.tunnel(stream, self._proxy, host, port, timeout)
        return self._wrapped(stream)

    def _wrapped(self, stream: httpcore.NetworkStream) -> httpcore.NetworkStream:
        return LenientStream(CoalescingStream(stream), self._read_timeout)

    def _connected(
        self,
        addresses: list[str],
        port: int,
        timeout: float | None,
        local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore.NetworkStream:
        stream = dialing.connect(self._backend, addresses, port, timeout, local_address, socket_options)
        self._socket = stream.get_extra_info("socket")
        if self.is_closed:
            stream.close()
            raise cancelled()
        return stream
