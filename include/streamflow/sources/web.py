"""Downloads from providers: bounded in time and size, with an error class for each kind of failure.

No URL reaches a log or an error message unmasked: URLs of providers hold passwords.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, cast

import httpx

from streamflow import config
from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.masking import mask, mask_url
from streamflow.net.address_policy import ForbiddenAddressError
from streamflow.net.egress import Egress, EgressOptions
from streamflow.net.transport import Deadline, GuardedTransport

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
    source_host: str = "",
) -> Iterator[BinaryIO]:
    """Open the body of a reply as a file.

    :param name: the source as error messages name it.
    :param seconds: the longest time for the whole exchange, redirects and interim responses included.
    :param source_host: the host of the source that lists the URL; empty for a URL that a person has entered. A private
        address is read only where that host is private too, or where ``network.allow`` names it.
    :raises SourceUnavailable: the failure may pass: the reply is cut off, late, or has a temporary status.
    :raises SourceRefused: any other failure.
    """
    shown = mask_url(url)
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as spooled:
        body = cast("BinaryIO", spooled)
        try:
            with _client(user_agent, seconds, source_host) as client, client.stream("GET", url, params=params) as reply:
                if reply.status_code >= 400:
                    kind = SourceUnavailable if reply.status_code in TEMPORARY else SourceRefused
                    raise kind(f"{name}: {shown} replied {reply.status_code}")
                for piece in reply.iter_bytes():
                    body.write(piece)
                    if body.tell() > max_bytes:
                        raise SourceRefused(f"{name}: {shown} sent more than {max_bytes >> 20} MB")
        except ForbiddenAddressError as error:
            raise SourceRefused(f"{name}: {error}") from error
        except httpx.TimeoutException as error:
            raise SourceUnavailable(f"{name}: no whole reply from {shown} in {seconds:g} s") from error
        except httpx.InvalidURL as error:
            raise SourceRefused(f"{name}: the address is not valid: {mask(str(error))}") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise SourceUnavailable(f"{name}: {shown} cannot be read ({type(error).__name__})") from error
        body.seek(0)
        yield body


def _client(user_agent: str, seconds: float, source_host: str) -> httpx.Client:
    egress = Egress(EgressOptions.of(config.load().network.allow, os.environ, source_host))
    return httpx.Client(
        transport=GuardedTransport(egress, Deadline(seconds)),
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        headers={"User-Agent": user_agent},
        follow_redirects=True,
        trust_env=False,
    )
