"""Getting a provider's answer over HTTP: into a file, within a time, its refusals by name, its address in no log."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, cast

import httpx

from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.masking import mask, mask_url

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
# What is larger waits on the disk.
IN_MEMORY_BYTES = 4 << 20
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
# Many providers turn away what is no player.
USER_AGENT = "VLC/3.0.20 LibVLC/3.0.20"


class _Masking(logging.Filter):
    """Addresses hold passwords, and httpx logs each that it asks."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(mask_url(str(each)) if isinstance(each, httpx.URL) else each for each in record.args)
        return True


logging.getLogger("httpx").addFilter(_Masking())


@contextmanager
def answer(
    url: str,
    *,
    what: str,
    params: Mapping[str, str] | None = None,
    user_agent: str = USER_AGENT,
    seconds: float,
    most_bytes: int,
) -> Iterator[BinaryIO]:
    """The body of the answer as a file at its beginning; ``what`` names it in errors.

    Raises SourceUnavailable for what may pass (also an answer that is cut off, or takes longer than ``seconds``), else
    SourceRefused.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as body:
        try:
            _receive(url, params, user_agent, cast("BinaryIO", body), what, seconds, most_bytes)
        except httpx.TimeoutException as error:
            raise SourceUnavailable(f"{what}: no answer in time from {mask_url(url)}") from error
        except httpx.InvalidURL as error:
            raise SourceRefused(f"{what}: the address is not valid: {mask(str(error))}") from error
        except httpx.HTTPError as error:
            problem = type(error).__name__
            raise SourceUnavailable(f"{what}: {mask_url(url)} cannot be read ({problem})") from error
        body.seek(0)
        yield cast("BinaryIO", body)


def _receive(
    url: str,
    params: Mapping[str, str] | None,
    user_agent: str,
    body: BinaryIO,
    what: str,
    seconds: float,
    most_bytes: int,
) -> None:
    deadline = time.monotonic() + seconds
    timeout = httpx.Timeout(min(READ_SECONDS, seconds), connect=min(CONNECT_SECONDS, seconds))
    headers = {"User-Agent": user_agent}
    with (
        httpx.Client(timeout=timeout, headers=headers, follow_redirects=True, trust_env=False) as client,
        client.stream("GET", url, params=params) as got,
    ):
        if got.status_code >= 400:
            kind = SourceUnavailable if got.status_code in PASSING else SourceRefused
            raise kind(f"{what}: {mask_url(url)} answered {got.status_code}")
        for piece in got.iter_bytes():
            body.write(piece)
            if time.monotonic() > deadline:
                raise SourceUnavailable(f"{what}: {mask_url(url)} took longer than {seconds:g} s")
            if body.tell() > most_bytes:
                raise SourceRefused(f"{what}: {mask_url(url)} sent more than {most_bytes >> 20} MB")
