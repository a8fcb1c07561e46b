"""A proxy of the user's, HTTP(S) or SOCKS5: what fails at the proxy itself is no stream's fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
from socksio import ProtocolError, socks5

from streamflow.probing.judgement.refusal import Refusal, dead

SOCKS = ("socks5", "socks5h")
_DEFAULT_PORTS = {"http": 8080, "https": 443, "socks5": 1080, "socks5h": 1080}
_MESSAGE_BYTES = 4096
# What a proxy says of the host that it was to connect to; anything else is its own trouble (RFC 1928, 6).
_SOCKS_REASONS = {
    socks5.SOCKS5ReplyCode.NETWORK_UNREACHABLE: "connect_timeout",
    socks5.SOCKS5ReplyCode.HOST_UNREACHABLE: "connect_timeout",
    socks5.SOCKS5ReplyCode.CONNECTION_REFUSED: "connection_refused",
    socks5.SOCKS5ReplyCode.TTL_EXPIRED: "connect_timeout",
}
_HTTP_REASONS = {"502": "connection_refused", "504": "connect_timeout"}


class Unreached(httpcore.ProxyError):
    """The proxy works, but could not connect to the host; ``reason`` as in a result."""

    def __init__(self, reason: str) -> None:
        super().__init__("the proxy could not connect to the host")
        self.reason = reason


@dataclass(frozen=True)
class Proxy:
    """Where the proxy is, and the login that it asks for."""

    scheme: str
    host: str
    port: int
    login: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> Proxy:
        """The proxy of a URL that the settings have let pass."""
        parts = urlsplit(url)
        login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return cls(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme], login)

    @property
    def is_socks(self) -> bool:
        return self.scheme in SOCKS


def open_pool(proxy: Proxy | None, backend: httpcore.NetworkBackend) -> httpcore.ConnectionPool:
    """At most one connection at a time over ``backend``, which itself goes through a SOCKS proxy."""
    if proxy is None or proxy.is_socks:
        return httpcore.ConnectionPool(max_connections=1, keepalive_expiry=60, network_backend=backend)
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    return httpcore.HTTPProxy(
        f"{proxy.scheme}://{host}:{proxy.port}",
        proxy_auth=proxy.login,
        max_connections=1,
        keepalive_expiry=60,
        network_backend=backend,
    )


def tunnel(stream: httpcore.NetworkStream, proxy: Proxy, host: str, port: int, timeout: float | None) -> None:
    """Ask a SOCKS5 proxy, to which ``stream`` is connected, for a connection; raises ProxyError.

    The host's name is looked up by the proxy.
    """
    talk = socks5.SOCKS5Connection()

    def asked(request: Any) -> object:
        talk.send(request)
        stream.write(talk.data_to_send(), timeout)
        return talk.receive_data(stream.read(_MESSAGE_BYTES, timeout))

    method = socks5.SOCKS5AuthMethod
    wanted = method.USERNAME_PASSWORD if proxy.login else method.NO_AUTH_REQUIRED
    try:
        offered = asked(socks5.SOCKS5AuthMethodsRequest([wanted]))
        if not isinstance(offered, socks5.SOCKS5AuthReply) or offered.method != wanted:
            raise httpcore.ProxyError("the proxy wants another kind of login")
        if proxy.login:
            name, password = (part.encode() for part in proxy.login)
            let_in = asked(socks5.SOCKS5UsernamePasswordRequest(name, password))
            if not isinstance(let_in, socks5.SOCKS5UsernamePasswordReply) or not let_in.success:
                raise httpcore.ProxyError("the proxy refuses the login")
        target = (host.encode(), port)
        reply = asked(socks5.SOCKS5CommandRequest.from_address(socks5.SOCKS5Command.CONNECT, target))
    except (ProtocolError, httpcore.TimeoutException, httpcore.NetworkError) as error:
        raise httpcore.ProxyError("the proxy does not answer as a SOCKS5 proxy does") from error
    code = getattr(reply, "reply_code", None)
    if code in _SOCKS_REASONS:
        raise Unreached(_SOCKS_REASONS[code])
    if code != socks5.SOCKS5ReplyCode.SUCCEEDED:
        raise httpcore.ProxyError("the proxy refuses to connect")


def of_proxy(error: httpcore.ProxyError) -> Refusal:
    """The stream's fault where the proxy could not reach its host, else nobody knows."""
    reason = error.reason if isinstance(error, Unreached) else _HTTP_REASONS.get(str(error)[:3])
    if reason:
        return dead(reason, "the proxy could not connect to the host")
    # A status and its phrase, or what is said here: no URL in either.
    return Refusal("unknown", "source_unavailable", f"proxy: {error}")
