"""A session with Dispatcharr's HTTP API: login, renewed tokens, retries, and an error class for each kind of reply."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_exponential_jitter

from streamflow.errors import ConfigError, SourceError, SourceRefused, SourceUnavailable, UnknownRecord
from streamflow.masking import mask, mask_url
from streamflow.net.address_policy import ForbiddenAddressError
from streamflow.net.egress import Egress, EgressOptions
from streamflow.net.transport import Deadline, GuardedTransport
from streamflow.sources.dispatcharr.tokens import Tokens

T = TypeVar("T")

# Dispatcharr needs seconds for the first reply on a big list.
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
# The longest time for one whole exchange: a page of streams takes seconds.
EXCHANGE_SECONDS = 300.0
MAX_REDIRECTS = 5
TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
TRIES = 5
PATIENCE_SECONDS = 90.0
_THROTTLED = re.compile(r"available in (\d+) second")


class Throttled(SourceUnavailable):
    """Dispatcharr accepts no such request for the next ``seconds``."""

    def __init__(self, request: str, seconds: float) -> None:
        super().__init__(f"{request} is throttled for {seconds:.0f} s")
        self.seconds = seconds


class Session:
    """Requests with JSON in and out.

    :param address: Dispatcharr's address, with a path prefix if it has one.
    :param api_key: used instead of the tokens when given.
    :param ca_file: the certificate (PEM) of a private authority that signed the server's certificate.
    :raises ConfigError: ``ca_file`` is not a certificate.
    """

    def __init__(self, address: str, *, api_key: str | None, tokens: Tokens | None, ca_file: str | None = None) -> None:
        self._tokens = tokens
        headers = {"Accept": "application/json"} | ({"X-API-Key": api_key} if api_key else {})
        self._deadline = Deadline(EXCHANGE_SECONDS)
        trusted = _trusting(ca_file) if ca_file else httpx.create_ssl_context()
        self._client = httpx.Client(
            base_url=address.rstrip("/"),
            headers=headers,
            timeout=TIMEOUT,
            trust_env=False,
            # A person has entered the address, and no redirect leads to another one.
            transport=GuardedTransport(Egress(EgressOptions()), self._deadline, trusted),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """Send a request, again while it fails with SourceUnavailable, and return the JSON of the reply.

        :raises SourceUnavailable: after all tries.
        :raises SourceRefused: Dispatcharr rejected the request.
        :raises UnknownRecord: for a 404.
        """
        return retrying(lambda: self.call_once(method, path, params=params, body=body))

    def call_once(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        statuses: Collection[int] = (),
    ) -> Any:
        """Send a request as :meth:`call` does, but once: a write whose reply was lost must not be repeated blindly.

        :param statuses: statuses of errors whose JSON is returned like that of a success.
        """
        reply = self._send(method, path, params, body)
        if reply.status_code == 401 and self._tokens:
            self._tokens.forget(reply.request.headers["Authorization"].partition(" ")[2])
            reply = self._send(method, path, params, body)
        return content(reply, f"{method} {path}", statuses)

    def records(self, path: str, params: Mapping[str, Any] | None = None) -> list[Any]:
        """Return a whole list.

        :raises SourceUnavailable: the reply is not a list.
        """
        reply = self.call("GET", path, params=params)
        if not isinstance(reply, list):
            raise SourceUnavailable(f"GET {path}: the reply is not a list")
        return reply

    def record(self, path: str) -> dict[str, Any]:
        """Return one record.

        :raises SourceUnavailable: the reply is not a record.
        """
        reply = self.call("GET", path)
        if not isinstance(reply, dict):
            raise SourceUnavailable(f"GET {path}: the reply is not a record")
        return reply

    def pages(self, path: str, size: int) -> Iterator[list[Any]]:
        """Return the pages of a list, or the whole list as one page where the server has no pages.

        A list may shrink while it is read, so a missing page after the first one ends it.
        """
        number = 1
        while True:
            try:
                reply = self.call("GET", path, params={"page": number, "page_size": size})
            except UnknownRecord:
                if number == 1:
                    raise
                return
            if isinstance(reply, list):
                yield reply
                return
            if not isinstance(reply, dict) or not isinstance(reply.get("results"), list):
                raise SourceUnavailable(f"GET {path}: the reply is not a page of a list")
            yield reply["results"]
            if not reply.get("next") or not reply["results"]:
                return
            number += 1

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None, body: Any) -> httpx.Response:
        headers = {}
        if self._tokens:
            headers["Authorization"] = f"Bearer {self._tokens.access(self._log_in)}"
        return self._raw(method, path, params=params, json=body, headers=headers)

    def _log_in(self, path: str, body: dict[str, str]) -> dict[str, str]:
        return dict(content(self._raw("POST", path, json=body), "the login"))

    def _raw(self, method: str, path: str, **options: Any) -> httpx.Response:
        self._deadline.restart()
        try:
            reply = self._client.request(method, path, **options)
            for _ in range(MAX_REDIRECTS):
                if reply.next_request is None:
                    return reply
                reply = self._client.send(_within_origin(reply.request.url, reply.next_request))
            raise SourceRefused(f"{method} {path}: Dispatcharr redirects without end")
        except ForbiddenAddressError as error:
            raise SourceRefused(f"DISPATCHARR_URL: {error}") from error
        except httpx.TimeoutException as error:
            raise SourceUnavailable(f"Dispatcharr did not reply to {method} {path} in time") from error
        except httpx.HTTPError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise SourceRefused(
                    "Dispatcharr's certificate is not trusted: set DISPATCHARR_CA_FILE to the certificate of its "
                    "authority"
                ) from error
            problem = type(error).__name__
            raise SourceUnavailable(f"Dispatcharr cannot be reached ({problem}): {method} {path}") from error


def _within_origin(url: httpx.URL, redirected: httpx.Request) -> httpx.Request:
    """Return a redirected request, which carries the API key or the login, if it stays with the same server.

    :raises SourceRefused: it leads to another origin (RFC 6454, 4). From http to https of one host is no other one.
    """
    to = redirected.url
    is_same = (url.scheme, url.host, url.port) == (to.scheme, to.host, to.port)
    is_upgrade = (url.scheme, url.port, to.scheme, to.port) == ("http", None, "https", None) and url.host == to.host
    if is_same or is_upgrade:
        return redirected
    raise SourceRefused(
        f"Dispatcharr redirects to another server, {mask_url(str(to))}, which gets no login: set DISPATCHARR_URL to it "
        "if it is yours"
    )


def _trusting(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"DISPATCHARR_CA_FILE: {ca_file} is not a certificate in PEM: {error}") from error
    return context


def content(reply: httpx.Response, request: str, statuses: Collection[int] = ()) -> Any:
    """Return the JSON of a reply; None for one without content.

    :param request: the request as error messages name it.
    :param statuses: statuses of errors that are returned too.
    :raises SourceUnavailable: the status is a temporary one, or the reply is not JSON.
    :raises SourceRefused: any other status from 400 on.
    :raises UnknownRecord: for a 404.
    """
    status = reply.status_code
    if status == httpx.codes.NO_CONTENT:
        return None
    if status in statuses:
        return _parsed(reply, request)
    if status in TEMPORARY:
        raise _temporary(reply, request)
    if status == 404:
        raise UnknownRecord(f"Dispatcharr has no such record: {request}")
    if status in (401, 403):
        raise SourceRefused(
            f"{request}: Dispatcharr rejected the login ({status}): check DISPATCHARR_API_KEY, or DISPATCHARR_USERNAME "
            "and DISPATCHARR_PASSWORD, and that the user is an administrator"
        )
    if status >= 400:
        raise SourceRefused(f"{request}: Dispatcharr replied {status}: {mask(reply.text[:300])}")
    return _parsed(reply, request)


def _parsed(reply: httpx.Response, request: str) -> Any:
    try:
        return reply.json()
    except (ValueError, RecursionError) as error:
        # Also a number of thousands of digits, and brackets nested without end.
        kind = reply.headers.get("content-type", "no content type")
        raise SourceUnavailable(f"{request}: the reply is not JSON ({kind}): is DISPATCHARR_URL right?") from error


def _temporary(reply: httpx.Response, request: str) -> SourceError:
    named = _THROTTLED.search(reply.text[:500])
    seconds = named.group(1) if named else reply.headers.get("retry-after", "")
    if reply.status_code == 429 and seconds.isdigit():
        return Throttled(request, float(seconds))
    return SourceUnavailable(f"{request}: Dispatcharr replied {reply.status_code}")


def retrying(call: Callable[[], T]) -> T:
    """Return the result of ``call``, which is repeated for a bounded time while it raises SourceUnavailable."""
    return Retrying(
        retry=retry_if_exception_type(SourceUnavailable),
        # Looked up at each pause, so that a test can shorten it.
        wait=lambda state: _wait(state),
        stop=stop_after_attempt(TRIES) | stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    )(call)


_backoff = wait_exponential_jitter(initial=0.5, max=10)


def _wait(state: Any) -> float:
    error = state.outcome.exception()
    if isinstance(error, Throttled):
        return min(error.seconds + 0.5, PATIENCE_SECONDS)
    return _backoff(state)
