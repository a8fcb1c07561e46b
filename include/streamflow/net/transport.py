"""A transport for httpx: every address is checked, and one deadline bounds each whole exchange."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from streamflow.net import dialing
from streamflow.net.egress import Egress


class Deadline:
    """A moment on the monotonic clock.

    :param seconds: the time until then.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.restart()

    def restart(self) -> None:
        """Begin the time again."""
        self._at = time.monotonic() + self._seconds

    def limit(self, timeout: float | None) -> float:
        """Return the timeout, shortened to the time that is left.

        :raises httpcore.ReadTimeout: no time is left.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline of the exchange has passed")
        return left if timeout is None else min(timeout, left)


class GuardedTransport(httpx.BaseTransport):
    """Connects only to the addresses that the egress permits, also for redirects.

    The timeouts of httpx apply to each read by itself, so a server that sends a byte now and then, or one interim
    response after another (RFC 9110, section 15.2), would keep a client for ever. Here the deadline bounds each read
    too: connecting, headers and body together, and redirects unless the caller restarts it for them.

    :param ssl_context: by default one that trusts the authorities that the system trusts.
    """

    def __init__(self, egress: Egress, deadline: Deadline, ssl_context: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context or ssl.create_default_context(), network_backend=_Backend(egress, deadline)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        :raises httpx.TransportError: it failed.
        :raises ForbiddenAddressError: its host may not be reached.
        """
        with _errors_of_httpx():
            reply = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            reply.status, headers=reply.headers, stream=_Body(reply), extensions=dict(reply.extensions)
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


@contextmanager
def _errors_of_httpx() -> Iterator[None]:
    """Raise the errors of httpcore as those of the same name in httpx."""
    try:
        yield
    except (
        httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol
    ) as error:  # fmt: skip
        name = next(kind.__name__ for kind in type(error).__mro__ if hasattr(httpx, kind.__name__))
        raise getattr(httpx, name)(str(error)) from error


class _Body(httpx.SyncByteStream):
    def __init__(self, reply: httpcore.Response) -> None:
        self._reply = reply

    def __iter__(self) -> Iterator[bytes]:
        with _errors_of_httpx():
            yield from self._reply.iter_stream()

    def close(self) -> None:
        self._reply.close()


class _Backend(httpcore.NetworkBackend):
    """Opens connections to permitted addresses, whose every operation ends at the deadline."""

    def __init__(self, egress: Egress, deadline: Deadline) -> None:
        self._egress = egress
        self._deadline = deadline
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._egress.resolve(host, port, self._deadline.limit(timeout))
        limit = self._deadline.limit(timeout)
        stream = dialing.connect(self._plain, addresses, port, limit, local_address, socket_options)
        return _Stream(stream, self._deadline)


class _Stream(httpcore.NetworkStream):
    def __init__(self, plain: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._plain = plain
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, self._deadline.limit(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._plain.write(buffer, self._deadline.limit(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit = self._deadline.limit(timeout)
        return _Stream(self._plain.start_tls(ssl_context, server_hostname, limit), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)

    def close(self) -> None:
        self._plain.close()
