"""The user's HTTP(S) or SOCKS5 proxy. A failure of the proxy itself is not counted against the stream."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
from socksio import ProtocolError, socks5

from streamflow.probing.judgement.refusal import Refusal, dead

SOCKS = ("socks5", "socks5h")
_DEFAULT_PORTS = {"http": 8080, "https": 443, "socks5": 1080, "socks5h": 1080}
_MESSAGE_BYTES = 4096
# The replies about the host that was asked for; all others are about the proxy itself (RFC 1928, 6).
_SOCKS_REASONS = {
    socks5.SOCKS5ReplyCode.NETWORK_UNREACHABLE: "connect_timeout",
    socks5.SOCKS5ReplyCode.HOST_UNREACHABLE: "connect_timeout",
    socks5.SOCKS5ReplyCode.CONNECTION_REFUSED: "connection_refused",
    socks5.SOCKS5ReplyCode.TTL_EXPIRED: "connect_timeout",
}
_HTTP_REASONS = {"502": "connection_refused", "504": "connect_timeout"}


class UnreachableHostError(httpcore.ProxyError):
    """The proxy works, but could not connect to the host; ``reason`` is that of a result."""

    def __init__(self, reason: str) -> None:
        super().__init__("the proxy could not connect to the host")
        self.reason = reason


@dataclass(frozen=True)
class ProxyAddress:
    """The address of a proxy, and its login."""

    scheme: str
    host: str
    port: int
    login: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> ProxyAddress:
        """Parse a URL that the settings have validated."""
        parts = urlsplit(url)
        login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return cls(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme], login)

    @property
    def is_socks(self) -> bool:
        """Whether the proxy speaks SOCKS5 rather than HTTP."""
        return self.scheme in SOCKS


def open_pool(
    proxy: ProxyAddress | None, backend: httpcore.NetworkBackend, ssl_context: ssl.SSLContext | None = None
) -> httpcore.ConnectionPool:
    """Return a pool of at most one connection at a time over ``backend``, which itself goes through a SOCKS proxy.

    :param ssl_context: for the streams' servers; by default one that verifies their certificates.
    """
    if proxy is None or proxy.is_socks:
        return httpcore.ConnectionPool(
            ssl_context=ssl_context, max_connections=1, keepalive_expiry=60, network_backend=backend
        )
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    return httpcore.HTTPProxy(
        f"{proxy.scheme}://{host}:{proxy.port}",
        proxy_auth=proxy.login,
        ssl_context=ssl_context,
        max_connections=1,
        keepalive_expiry=60,
        network_backend=backend,
    )


def tunnel(stream: httpcore.NetworkStream, proxy: ProxyAddress, host: str, port: int, timeout: float | None) -> None:
    """Ask the SOCKS5 proxy at the other end of ``stream`` for a connection to a host (RFC 1928).

    The proxy resolves the host's name.

    :raises httpcore.ProxyError: when the proxy does not connect.
    """
    session = socks5.SOCKS5Connection()

    def reply_to(request: Any) -> object:
        session.send(request)
        stream.write(session.data_to_send(), timeout)
        return session.receive_data(stream.read(_MESSAGE_BYTES, timeout))

    method = socks5.SOCKS5AuthMethod
    wanted = method.USERNAME_PASSWORD if proxy.login else method.NO_AUTH_REQUIRED
    try:
        method_reply = reply_to(socks5.SOCKS5AuthMethodsRequest([wanted]))
        if not isinstance(method_reply, socks5.SOCKS5AuthReply) or method_reply.method != wanted:
            raise httpcore.ProxyError("the proxy wants another kind of login")
        if proxy.login:
            name, password = (part.encode() for part in proxy.login)
            login_reply = reply_to(socks5.SOCKS5UsernamePasswordRequest(name, password))
            if not isinstance(login_reply, socks5.SOCKS5UsernamePasswordReply) or not login_reply.success:
                raise httpcore.ProxyError("the proxy refuses the login")
        target = (host.encode(), port)
        reply = reply_to(socks5.SOCKS5CommandRequest.from_address(socks5.SOCKS5Command.CONNECT, target))
    except (ProtocolError, httpcore.TimeoutException, httpcore.NetworkError) as error:
        raise httpcore.ProxyError("the proxy does not answer as a SOCKS5 proxy does") from error
    code = getattr(reply, "reply_code", None)
    if code in _SOCKS_REASONS:
        raise UnreachableHostError(_SOCKS_REASONS[code])
    if code != socks5.SOCKS5ReplyCode.SUCCEEDED:
        raise httpcore.ProxyError("the proxy refuses to connect")


def of_proxy(error: httpcore.ProxyError) -> Refusal:
    """Return a Refusal: dead where the proxy could not reach the host, else unknown."""
    reason = error.reason if isinstance(error, UnreachableHostError) else _HTTP_REASONS.get(str(error)[:3])
    if reason:
        return dead(reason, "the proxy could not connect to the host")
    # The message is a status or a sentence of this module: it holds no URL.
    return Refusal("unknown", "source_unavailable", f"proxy: {error}")
