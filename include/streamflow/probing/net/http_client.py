"""One guarded HTTP connection: redirects step by step, each failure by its phase."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, unquote, urljoin, urlsplit

import httpcore

from streamflow.probing.judgement.refusal import Refusal, cancelled, dead, of_status
from streamflow.probing.net.address_policy import Connector, ForbiddenAddressError, NameNotFoundError
from streamflow.probing.net.proxy import Proxy, of_proxy, open_pool
from streamflow.probing.target import HTTP

MAX_REDIRECTS = 10
# Of a refusal's body so much is read, for so long: it may say more than its status.
REFUSAL_BYTES = 2048
REFUSAL_SECONDS = 0.5
# What may stand in a path or query as it is; a "%" there begins what is quoted already.
_PLAIN = "/%:=&?~+!$,;'@()*[]|"
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass
class HttpResponse:
    """The answer of the last hop; ``url`` is where it came from."""

    status: int
    headers: dict[str, str]
    url: str
    redirects: int
    body: Iterator[bytes]


class HttpClient:
    """At most one open connection at a time, to whatever the stream's URL leads to."""

    def __init__(
        self,
        headers: Mapping[str, str],
        *,
        connect_timeout: float,
        read_timeout: float,
        proxy: str | None = None,
        account_busy: bool = False,
    ) -> None:
        self._headers = [(b"Accept", b"*/*"), (b"Accept-Encoding", b"identity")]
        self._headers += [(name.encode(), value.encode()) for name, value in headers.items()]
        self._timeout = {
            "connect": connect_timeout, "read": read_timeout, "write": read_timeout, "pool": connect_timeout,
        }  # fmt: skip
        self._account_busy = account_busy
        self._proxy = Proxy.of(proxy) if proxy else None
        self._backend = Connector(self._proxy)
        self._pool = open_pool(self._proxy, self._backend)

    def close(self) -> None:
        """End it at once, also under a thread that is reading."""
        self._backend.closed = True
        held = self._backend.socket
        if held is not None:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It is closed already.
                self._backend.socket = None
        self._pool.close()

    @contextmanager
    def get(self, url: str, *, byte_range: tuple[int, int] | None = None) -> Iterator[HttpResponse]:
        """GET, following redirects; raises Refusal for every failure, by its phase and status.

        :param byte_range: first byte and number of bytes.
        """
        headers = list(self._headers)
        if byte_range:
            first, count = byte_range
            headers.append((b"Range", f"bytes={first}-{first + count - 1}".encode()))
        with _understood():
            for redirects in range(MAX_REDIRECTS + 1):
                if self._backend.closed:
                    raise cancelled()
                address, host, login = _on_the_wire(url)
                if self._proxy:
                    self._backend.refuse_inner(host)
                timeout = dict(self._timeout)
                with self._pool.stream(
                    "GET", address, headers=headers + login, extensions={"timeout": timeout}
                ) as response:
                    told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                    if response.status in _REDIRECTS and "location" in told:
                        url = joined(url, told["location"])
                        continue
                    if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and self._proxy:
                        raise httpcore.ProxyError("407 Proxy Authentication Required")
                    if response.status >= 400:
                        timeout["read"] = min(timeout["read"], REFUSAL_SECONDS)
                        text = _start(response.iter_stream()) if response.status in (401, 403) else b""
                        raise of_status(response.status, told, text, account_busy=self._account_busy)
                    yield HttpResponse(response.status, told, url, redirects, response.iter_stream())
                    return
        raise dead("not_media", f"redirected more than {MAX_REDIRECTS} times", retryable=False)


def joined(base: str, reference: str | None) -> str:
    """The address of a redirect, segment or key; raises Refusal for what is none."""
    try:
        return urljoin(base, reference or "")
    except ValueError:
        raise _no_address() from None


def _no_address() -> Refusal:
    return dead("not_media", "leads to something that is no address", retryable=False)


def _on_the_wire(url: str) -> tuple[str, str, list[tuple[bytes, bytes]]]:
    """The URL in ASCII without its login, its host, and the login's header; raises Refusal unless it is of HTTP."""
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        if scheme not in HTTP:
            raise dead("not_media", f"leads to an address of the protocol {scheme[:20]!r}", retryable=False)
        host = (parts.hostname or "").encode("idna").decode() if ":" not in (parts.hostname or "") else parts.hostname
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise _no_address() from None
    if not host:
        raise _no_address()
    place = f"[{host}]" if ":" in host else host
    query = f"?{quote(parts.query, safe=_PLAIN)}" if parts.query else ""
    login = []
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = [(b"Authorization", b"Basic " + base64.b64encode(secret.encode()))]
    return f"{scheme}://{place}{port}{quote(parts.path, safe=_PLAIN)}{query}", host, login


def _start(body: Iterator[bytes]) -> bytes:
    text = b""
    deadline = time.monotonic() + REFUSAL_SECONDS
    try:
        for chunk in body:
            text += chunk
            if len(text) >= REFUSAL_BYTES or time.monotonic() > deadline:
                break
    except (httpcore.ReadTimeout, httpcore.ReadError, httpcore.RemoteProtocolError):
        # The status alone has to do.
        return text
    return text


@contextmanager
def _understood() -> Iterator[None]:
    """Turn what can go wrong on a connection into a Refusal."""
    try:
        yield
    except NameNotFoundError as error:
        raise dead("dns_failure", str(error)) from error
    except ForbiddenAddressError as error:
        raise dead("not_media", str(error), retryable=False) from error
    except httpcore.ConnectTimeout as error:
        raise dead("connect_timeout", "no connection in time") from error
    except httpcore.ConnectError as error:
        if isinstance(error.__cause__, ssl.SSLError) or isinstance(error.__context__, ssl.SSLError):
            cause = error.__cause__ or error.__context__
            detail = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "handshake failed"
            raise dead("tls_error", str(detail), retryable=False) from error
        raise dead("connection_refused", _plain(error)) from error
    except httpcore.ReadTimeout as error:
        raise dead("no_data", "connected, but nothing came in time") from error
    except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError) as error:
        raise dead("no_data", f"the connection ended without an answer: {_plain(error)}") from error
    except httpcore.ProxyError as error:
        raise of_proxy(error) from error
    except httpcore.LocalProtocolError as error:
        raise Refusal("unknown", "source_unavailable", _plain(error)) from error


def _plain(error: Exception) -> str:
    cause = error.__cause__ or error.__context__ or error
    return getattr(cause, "strerror", None) or type(cause).__name__
