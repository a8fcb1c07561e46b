"""A session with Dispatcharr's HTTP API: login, renewed tokens, repetition of what may pass, and errors by name."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_exponential_jitter

from streamflow.errors import ConfigError, SourceError, SourceRefused, SourceUnavailable, UnknownRecord
from streamflow.masking import mask
from streamflow.sources.dispatcharr.tokens import Tokens

T = TypeVar("T")

# The first answer on a big list takes seconds.
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
TRIES = 5
PATIENCE_SECONDS = 90.0
_THROTTLED = re.compile(r"available in (\d+) second")


class Throttled(SourceUnavailable):
    """Dispatcharr asks to be left alone for ``seconds``."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} is throttled for {seconds:.0f} s")
        self.seconds = seconds


class Session:
    """Calls with JSON in and out.

    :param address: where Dispatcharr is, with a path prefix if it has one.
    :param api_key: used instead of the tokens when given.
    :param ca_file: the certificate of a private authority that signed the server's. Raises ConfigError.
    """

    def __init__(self, address: str, *, api_key: str | None, tokens: Tokens | None, ca_file: str | None = None) -> None:
        self._tokens = tokens
        headers = {"Accept": "application/json"} | ({"X-API-Key": api_key} if api_key else {})
        self._client = httpx.Client(
            base_url=address.rstrip("/"),
            headers=headers,
            timeout=TIMEOUT,
            follow_redirects=True,
            trust_env=False,
            verify=_trusting(ca_file) if ca_file else True,
        )

    def close(self) -> None:
        self._client.close()

    def call(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """The answer's JSON. Raises SourceUnavailable, SourceRefused, or UnknownRecord for a 404."""
        return patiently(lambda: self.call_once(method, path, params=params, body=body))

    def call_once(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """As :meth:`call`, for what must not be repeated unseen: its answer may be lost."""
        answer = self._send(method, path, params, body)
        if answer.status_code == 401 and self._tokens:
            self._tokens.refused(answer.request.headers["Authorization"].partition(" ")[2])
            answer = self._send(method, path, params, body)
        return understood(answer, f"{method} {path}")

    def pages(self, path: str, size: int) -> Iterator[list[Any]]:
        """All pages of a list, or the whole of it where the server knows no pages.

        A page past the last, which a list that shrank meanwhile has, is the end.
        """
        number = 1
        while True:
            try:
                answer = self.call("GET", path, params={"page": number, "page_size": size})
            except UnknownRecord:
                if number == 1:
                    raise
                return
            if isinstance(answer, list):
                yield answer
                return
            if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
                raise SourceUnavailable(f"GET {path}: the answer is no page of a list")
            yield answer["results"]
            if not answer.get("next") or not answer["results"]:
                return
            number += 1

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None, body: Any) -> httpx.Response:
        headers = {}
        if self._tokens:
            headers["Authorization"] = f"Bearer {self._tokens.access(self._log_in)}"
        return self._raw(method, path, params=params, json=body, headers=headers)

    def _log_in(self, path: str, body: dict[str, str]) -> dict[str, str]:
        return dict(understood(self._raw("POST", path, json=body), "the login"))

    def _raw(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **options)
        except httpx.TimeoutException as error:
            raise SourceUnavailable(f"Dispatcharr did not answer {method} {path} in time") from error
        except httpx.HTTPError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise SourceRefused(
                    "Dispatcharr's certificate is not trusted: set DISPATCHARR_CA_FILE to that of its authority"
                ) from error
            problem = type(error).__name__
            raise SourceUnavailable(f"Dispatcharr cannot be reached ({problem}): {method} {path}") from error


def _trusting(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"DISPATCHARR_CA_FILE: {ca_file} is no certificate in PEM: {error}") from error
    return context


def understood(answer: httpx.Response, what: str) -> Any:
    """The JSON of an answer; raises the error that its status, or its not being JSON, means."""
    status = answer.status_code
    if status in PASSING:
        raise _passing(answer, what)
    if status == 404:
        raise UnknownRecord(f"Dispatcharr has no such record: {what}")
    if status in (401, 403):
        raise SourceRefused(
            f"{what}: Dispatcharr refused us ({status}): check DISPATCHARR_API_KEY, or DISPATCHARR_USERNAME and "
            "DISPATCHARR_PASSWORD, and that the user is an administrator"
        )
    if status >= 400:
        raise SourceRefused(f"{what}: Dispatcharr answered {status}: {mask(answer.text[:300])}")
    try:
        return answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        kind = answer.headers.get("content-type", "no content type")
        raise SourceUnavailable(f"{what}: the answer is no JSON ({kind}): is DISPATCHARR_URL right?") from error


def _passing(answer: httpx.Response, what: str) -> SourceError:
    told = _THROTTLED.search(answer.text[:500])
    after = told.group(1) if told else answer.headers.get("retry-after", "")
    if answer.status_code == 429 and after.isdigit():
        return Throttled(what, float(after))
    return SourceUnavailable(f"{what}: Dispatcharr answered {answer.status_code}")


def patiently(do: Callable[[], T]) -> T:
    """What it answers, tried again while it raises SourceUnavailable, for a bounded time."""
    return Retrying(
        retry=retry_if_exception_type(SourceUnavailable),
        # Looked up at each pause, so that a test can shorten it.
        wait=lambda state: _wait(state),
        stop=stop_after_attempt(TRIES) | stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    )(do)


_backoff = wait_exponential_jitter(initial=0.5, max=10)


def _wait(state: Any) -> float:
    error = state.outcome.exception()
    if isinstance(error, Throttled):
        return min(error.seconds + 0.5, PATIENCE_SECONDS)
    return _backoff(state)
