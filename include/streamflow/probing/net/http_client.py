"""HTTP GET as players do it: one connection at a time, redirects, cookies, logins, and a Refusal for each failure."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import quote, unquote, urljoin, urlsplit

import httpcore

from streamflow.net.address_policy import ForbiddenAddressError, PrivateStreamError, normalized_host
from streamflow.net.egress import Egress
from streamflow.net.resolver import NameNotFoundError
from streamflow.probing.judgement.refusal import Refusal, cancelled, dead, of_status
from streamflow.probing.net.authentication import Logins, Origin
from streamflow.probing.net.connector import Connector
from streamflow.probing.net.content_encoding import decoded
from streamflow.probing.net.cookies import CookieJar
from streamflow.probing.net.options import NetworkOptions
from streamflow.probing.net.proxy import ProxyAddress, of_proxy, open_pool
from streamflow.probing.net.request_headers import request_headers
from streamflow.probing.net.response_head import DECLARED_LENGTH, ReadTimeout
from streamflow.probing.net.tls import permissive_context, tls_fault
from streamflow.probing.target import HTTP

MAX_REDIRECTS = 10
# The start of a refusal's body, which may say more than its status.
REFUSAL_BYTES = 2048
REFUSAL_SECONDS = 0.5
# After a response that declared zero bytes, media that are sent all the same begin within this time.
EMPTY_SECONDS = 1.0
# A transcoder that starts on demand responds late: the first response of a probe has this many read time-outs.
FIRST_RESPONSE_TIMEOUTS = 2
# Characters that stay as they are in a path or query; a "%" begins what is quoted already.
_UNQUOTED = "/%:=&?~+!$,;'@()*[]|"
_REDIRECTS = (301, 302, 303, 307, 308)
_WHOLE = (0, None)

# The first byte and the number of bytes, None for all that follow.
ByteRange = tuple[int, int | None]


@dataclass
class HttpResponse:
    """The response after all redirects; ``url`` is the address that sent it. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    url: str
    redirects: int
    body: Iterator[bytes]

    @property
    def length(self) -> int | None:
        """The number of bytes that the server has declared, None where it declared none."""
        declared = self.headers.get("content-length") or self.headers.get(DECLARED_LENGTH)
        return int(declared) if declared else None


@dataclass(frozen=True)
class _Request:
    url: str
    byte_range: ByteRange | None
    redirects: int = 0


@dataclass(frozen=True)
class _WireAddress:
    """A URL in ASCII without its login, split for the connection; ``target`` is its path and query."""

    origin: Origin
    target: str
    path: str

    @property
    def host(self) -> str:
        return self.origin[1]

    @property
    def port(self) -> int:
        return self.origin[2] or (443 if self.is_secure else 80)

    @property
    def is_secure(self) -> bool:
        return self.origin[0] == "https"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == (443 if self.is_secure else 80)
        return host if is_default else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin[0]}://{self.authority}{self.target}"


class HttpClient:
    """The HTTP requests of one probe: at most one open connection at a time, one cookie jar, one set of logins.

    Not for use by several threads, except :meth:`close`.
    """

    def __init__(self, headers: Mapping[str, str], options: NetworkOptions) -> None:
        self._options = options
        self._headers = request_headers(headers)
        self._cookies = CookieJar()
        self._logins = Logins()
        self._proxy = ProxyAddress.of(options.proxy) if options.proxy else None
        self._read_timeout = ReadTimeout()
        self._connector = Connector(Egress(options.egress), self._read_timeout, self._proxy)
        self._pool = open_pool(self._proxy, self._connector, permissive_context() if options.tls == "ignore" else None)
        self._is_first = True
        #: Why a server's certificate or version of TLS is not trusted, None where all are or "ignore" was asked for.
        self.tls_fault: str | None = None

    def close(self) -> None:
        """End the connection at once, also while another thread reads from it."""
        self._connector.close()
        self._pool.close()

    @contextmanager
    def get(self, url: str, *, byte_range: ByteRange | None = None) -> Iterator[HttpResponse]:
        """GET a URL.

        The first request of a probe asks for all bytes as a range, as players do.

        :raises Refusal: for every failure, also while the body is read.
        """
        request = _Request(url, byte_range or (_WHOLE if self._is_first else None))
        with _refusals() as progress:
            while True:
                with self._sent(request) as (response, wire):
                    progress.has_response = True
                    headers = self._received(response, wire)
                    following = self._following(request, response.status, headers, wire)
                    if following is None:
                        if response.status >= 400:
                            raise self._refusal(response, headers)
                        self._is_first = False
                        body = self._body(response, headers)
                        yield HttpResponse(response.status, headers, request.url, request.redirects, body)
                        return
                request = following
                progress.has_response = False

    def _following(
        self, request: _Request, status: int, headers: Mapping[str, str], wire: _WireAddress
    ) -> _Request | None:
        """Return the request to send after a response in its place, None when the response is final."""
        if status in _REDIRECTS and "location" in headers:
            if request.redirects == MAX_REDIRECTS:
                raise dead("not_media", f"redirected more than {MAX_REDIRECTS} times", retryable=False)
            url = joined(request.url, _utf8(headers["location"]))
            return replace(request, url=url, redirects=request.redirects + 1)
        if status == HTTPStatus.UNAUTHORIZED and self._logins.challenged(
            wire.origin, headers.get("www-authenticate", "")
        ):
            return request
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and request.byte_range == _WHOLE:
            return replace(request, byte_range=None)
        return None

    @contextmanager
    def _sent(self, request: _Request) -> Iterator[tuple[httpcore.Response, _WireAddress]]:
        if self._connector.is_closed:
            raise cancelled()
        wire = self._wire_address(request.url)
        self._connector.check_before_proxy(wire.host, wire.port)
        try:
            response = self._exchange(wire, request.byte_range)
        except httpcore.ConnectError as error:
            fault = tls_fault(error)
            if fault is None or self._options.tls != "report" or self.tls_fault:
                raise
            self.tls_fault = fault
            self._pool.close()
            self._pool = open_pool(self._proxy, self._connector, permissive_context())
            response = self._exchange(wire, request.byte_range)
        try:
            yield response, wire
        finally:
            response.close()

    def _exchange(self, wire: _WireAddress, byte_range: ByteRange | None) -> httpcore.Response:
        headers = {"Host": wire.authority, **self._headers}
        cookie = self._cookies.header(wire.host, wire.path, is_secure=wire.is_secure)
        if cookie:
            headers["Cookie"] = "; ".join(filter(None, (headers.get("Cookie"), cookie)))
        if login := self._logins.header(wire.origin, "GET", wire.target):
            headers["Authorization"] = login
        if byte_range:
            first, count = byte_range
            headers["Range"] = f"bytes={first}-{'' if count is None else first + count - 1}"
        wait = self._options.read_timeout * (FIRST_RESPONSE_TIMEOUTS if self._is_first else 1)
        self._read_timeout.seconds = wait
        connect = self._options.connect_timeout
        timeout = {"connect": connect, "read": wait, "write": self._options.read_timeout, "pool": connect}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        return self._pool.handle_request(
            httpcore.Request("GET", wire.url, headers=encoded, extensions={"timeout": timeout})
        )

    def _received(self, response: httpcore.Response, wire: _WireAddress) -> dict[str, str]:
        """Return a response's headers, and keep its cookies."""
        headers: dict[str, str] = {}
        cookies: list[str] = []
        for raw_name, raw_value in response.headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name == "set-cookie":
                cookies.append(value)
            else:
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self._cookies.store(wire.host, wire.path, cookies)
        if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and self._proxy:
            raise httpcore.ProxyError("407 Proxy Authentication Required")
        return headers

    def _refusal(self, response: httpcore.Response, headers: Mapping[str, str]) -> Refusal:
        self._read_timeout.seconds = REFUSAL_SECONDS
        text = _beginning(response.iter_stream()) if response.status in (401, 403) else b""
        return of_status(response.status, headers, text, account_busy=self._options.account_busy)

    def _body(self, response: httpcore.Response, headers: Mapping[str, str]) -> Iterator[bytes]:
        is_empty = DECLARED_LENGTH in headers
        if is_empty:
            self._read_timeout.seconds = min(EMPTY_SECONDS, self._options.read_timeout)
        try:
            for chunk in decoded(response.iter_stream(), headers.get("content-encoding", "")):
                self._read_timeout.seconds, is_empty = self._options.read_timeout, False
                yield chunk
        except httpcore.ReadTimeout:
            if not is_empty:
                raise

    def _wire_address(self, url: str) -> _WireAddress:
        """Return where a URL leads, and keep its login; raises Refusal unless it is an address of HTTP."""
        try:
            parts = urlsplit(url)
            scheme = parts.scheme.lower()
            if scheme not in HTTP:
                raise dead("not_media", f"leads to an address of the protocol {scheme[:20]!r}", retryable=False)
            host, port = normalized_host(parts.hostname or ""), parts.port
        except ValueError:
            raise _no_address() from None
        if not host:
            raise _no_address()
        origin = scheme, host, port
        if parts.username:
            self._logins.remember(origin, unquote(parts.username), unquote(parts.password or ""))
        path = quote(parts.path, safe=_UNQUOTED) or "/"
        query = f"?{quote(parts.query, safe=_UNQUOTED)}" if parts.query else ""
        return _WireAddress(origin, path + query, path)


def of_address(error: ForbiddenAddressError) -> Refusal:
    """Return the Refusal for an address that is not permitted: the stream is not at fault for where it is listed."""
    if isinstance(error, PrivateStreamError):
        return Refusal("skipped", "not_probeable", str(error), retryable=False)
    return dead("not_media", str(error), retryable=False)


def joined(base: str, reference: str | None) -> str:
    """Return the absolute address of a redirect, segment or key; raises Refusal for what is no address."""
    try:
        return urljoin(base, re.sub(r"[\t\r\n]", "", (reference or "").strip()))
    except ValueError:
        raise _no_address() from None


def _no_address() -> Refusal:
    return dead("not_media", "leads to something that is no address", retryable=False)


def _utf8(value: str) -> str:
    """Return a header value, which was decoded as Latin-1, in UTF-8 where its bytes are that."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _beginning(body: Iterator[bytes]) -> bytes:
    text = b""
    deadline = time.monotonic() + REFUSAL_SECONDS
    try:
        for chunk in body:
            text += chunk
            if len(text) >= REFUSAL_BYTES or time.monotonic() > deadline:
                break
    except (httpcore.ReadTimeout, httpcore.ReadError, httpcore.RemoteProtocolError):
        # The status alone decides then.
        return text
    return text


@dataclass
class _Progress:
    has_response: bool = False


@contextmanager
def _refusals() -> Iterator[_Progress]:
    """Raise every failure of a request as a Refusal, by the phase in which it happened."""
    progress = _Progress()
    try:
        yield progress
    except NameNotFoundError as error:
        raise dead("dns_failure", str(error)) from error
    except ForbiddenAddressError as error:
        raise of_address(error) from error
    except httpcore.ConnectTimeout as error:
        raise dead("connect_timeout", "no connection in time") from error
    except httpcore.ConnectError as error:
        if fault := tls_fault(error):
            raise dead("tls_error", fault, retryable=False) from error
        raise dead("connection_refused", _cause(error)) from error
    except httpcore.ReadTimeout as error:
        detail = "nothing more came in time" if progress.has_response else "connected, but nothing came in time"
        raise dead("no_data", detail) from error
    except httpcore.RemoteProtocolError as error:
        raise dead("no_data", _protocol_fault(error, progress)) from error
    except (httpcore.ReadError, httpcore.WriteError) as error:
        during = "during" if progress.has_response else "before"
        raise dead("no_data", f"the connection ended {during} the response: {_cause(error)}") from error
    except httpcore.ProxyError as error:
        raise of_proxy(error) from error
    except httpcore.LocalProtocolError as error:
        raise Refusal("unknown", "source_unavailable", _cause(error)) from error


def _protocol_fault(error: httpcore.RemoteProtocolError, progress: _Progress) -> str:
    if progress.has_response:
        return "the body ended before its declared end"
    if str(error).startswith("Server disconnected"):
        return "the server closed the connection without a response"
    return "the response is not HTTP"


def _cause(error: Exception) -> str:
    cause = error.__cause__ or error.__context__ or error
    return getattr(cause, "strerror", None) or type(cause).__name__
