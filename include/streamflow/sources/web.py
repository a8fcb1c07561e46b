"""Downloads from providers: bounded in time and size, with an error class for each kind of failure.

No URL reaches a log or an error message unmasked: URLs of providers hold passwords.
"""

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
# A larger body is kept on the disk.
IN_MEMORY_BYTES = 4 << 20
TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
# Many providers reject clients that are not players.
USER_AGENT = "VLC/3.0.20 LibVLC/3.0.20"


class _Masking(logging.Filter):
    """Masks the URLs that httpx logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(mask_url(str(each)) if isinstance(each, httpx.URL) else each for each in record.args)
        return True


logging.getLogger("httpx").addFilter(_Masking())


@contextmanager
def download(
    url: str,
    *,
    name: str,
    params: Mapping[str, str] | None = None,
    user_agent: str = USER_AGENT,
    seconds: float,
    max_bytes: int,
) -> Iterator[BinaryIO]:
    """Open the body of a reply as a file.

    :param name: the source as error messages name it.
    :param seconds: the longest time for the body.
    :raises SourceUnavailable: the failure may pass: the reply is cut off, late, or has a temporary status.
    :raises SourceRefused: any other failure.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as body:
        try:
            _receive(url, params, user_agent, cast("BinaryIO", body), name, seconds, max_bytes)
        except httpx.TimeoutException as error:
            raise SourceUnavailable(f"{name}: no reply in time from {mask_url(url)}") from error
        except httpx.InvalidURL as error:
            raise SourceRefused(f"{name}: the address is not valid: {mask(str(error))}") from error
        except httpx.HTTPError as error:
            problem = type(error).__name__
            raise SourceUnavailable(f"{name}: {mask_url(url)} cannot be read ({problem})") from error
        body.seek(0)
        yield cast("BinaryIO", body)


def _receive(
    url: str,
    params: Mapping[str, str] | None,
    user_agent: str,
    body: BinaryIO,
    name: str,
    seconds: float,
    max_bytes: int,
) -> None:
    deadline = time.monotonic() + seconds
    timeout = httpx.Timeout(min(READ_SECONDS, seconds), connect=min(CONNECT_SECONDS, seconds))
    headers = {"User-Agent": user_agent}
    with (
        httpx.Client(timeout=timeout, headers=headers, follow_redirects=True, trust_env=False) as client,
        client.stream("GET", url, params=params) as reply,
    ):
        if reply.status_code >= 400:
            kind = SourceUnavailable if reply.status_code in TEMPORARY else SourceRefused
            raise kind(f"{name}: {mask_url(url)} replied {reply.status_code}")
        for piece in reply.iter_bytes():
            body.write(piece)
            if time.monotonic() > deadline:
                raise SourceUnavailable(f"{name}: {mask_url(url)} took longer than {seconds:g} s")
            if body.tell() > max_bytes:
                raise SourceRefused(f"{name}: {mask_url(url)} sent more than {max_bytes >> 20} MB")
