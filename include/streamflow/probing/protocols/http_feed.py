"""The bytes of a stream over HTTP, whether they come as one body or in segments."""

from __future__ import annotations

import time
from collections.abc import Iterator

from streamflow.probing.judgement.refusal import Refusal, dead, of_text
from streamflow.probing.net.http_client import HttpClient, HttpResponse, joined
from streamflow.probing.protocols.dash.feed import DashFeed, server_ahead_s
from streamflow.probing.protocols.dash.manifest import is_manifest
from streamflow.probing.protocols.hls.feed import HlsFeed
from streamflow.probing.protocols.hls.playlist import is_playlist
from streamflow.probing.protocols.segments import PlaylistInfo, read_document
from streamflow.probing.protocols.source_info import SourceInfo
from streamflow.probing.protocols.station_list import first_entry, is_station_list
from streamflow.probing.target import HTTP

# Enough of the start to tell a playlist or a page from media.
HEAD_BYTES = 512
_PAGE_STARTS = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body", b"{", b"[")


def feed(client: HttpClient, url: str, source: SourceInfo, read_timeout: float) -> Iterator[bytes]:
    """Yield the media bytes of a stream, and note facts about its source in ``source``.

    :param read_timeout: seconds after the response in which the first bytes must have arrived.
    :raises Refusal: when there are no media, and when they end by a failure.
    """
    yield from _opened(client, url, source, read_timeout, may_be_list=True)


def _opened(
    client: HttpClient, url: str, source: SourceInfo, read_timeout: float, *, may_be_list: bool
) -> Iterator[bytes]:
    with client.get(url) as response:
        _note(response, source)
        source.tls_fault = client.tls_fault
        head = _head(response, read_timeout)
        is_list = may_be_list and is_station_list(head)
        if not (is_playlist(head) or is_manifest(head) or is_list):
            refuse_pages(head)
            yield head
            yield from response.body
            return
        document = read_document(response.body, head)
        address, ahead_s = response.url, server_ahead_s(response.headers)
    # The connection is free for the segments now.
    if may_be_list and (entry := first_entry(document)):
        yield from _listed(client, joined(address, entry), source, read_timeout)
    else:
        yield from _followed(client, source, address, document, ahead_s, origin=url)


def _note(response: HttpResponse, source: SourceInfo) -> None:
    source.redirects += response.redirects
    source.content_type = response.headers.get("content-type")
    source.length = response.length or None


def _head(response: HttpResponse, read_timeout: float) -> bytes:
    """Return the first bytes of a body, as many as tell what it is."""
    head, started = b"", time.monotonic()
    for chunk in response.body:
        head += chunk
        if len(head) >= HEAD_BYTES or _is_decisive(head):
            return head
        if time.monotonic() - started > read_timeout:
            raise dead("no_data", f"{len(head)} bytes in {read_timeout:g} s")
    if head:
        return head
    if response.length == 0:
        raise dead("no_data", f"HTTP {response.status} with an empty body")
    raise dead("no_data", f"HTTP {response.status}, and the end without a byte")


def _listed(client: HttpClient, url: str, source: SourceInfo, read_timeout: float) -> Iterator[bytes]:
    """Yield the media bytes of the stream that a station list names; lists in lists are not followed."""
    scheme = url.partition(":")[0].lower()
    if scheme not in HTTP and scheme.isalnum():
        detail = f"a list that leads to an address of the protocol {scheme[:20]!r}"
        raise Refusal("skipped", "unsupported_protocol", detail, retryable=False)
    yield from _opened(client, url, source, read_timeout, may_be_list=False)


def _followed(
    client: HttpClient, source: SourceInfo, url: str, document: bytes, ahead_s: float, *, origin: str
) -> Iterator[bytes]:
    """Yield the media bytes behind a playlist or manifest from ``url``, where ``origin`` led."""
    is_hls = is_playlist(document[:HEAD_BYTES])
    info = source.playlist = PlaylistInfo("hls" if is_hls else "dash")

    def is_wanted() -> bool:
        return not source.is_stopping

    stream = HlsFeed(client, info, is_wanted) if is_hls else DashFeed(client, info, is_wanted, ahead_s)
    for chunk in stream.follow(url, document, origin):
        source.tls_fault = client.tls_fault
        yield chunk


def _is_decisive(head: bytes) -> bool:
    return len(head) >= 8 and (is_playlist(head) or head[:1] == b"\x47")


def refuse_pages(head: bytes) -> None:
    """Raise Refusal for a web page or an error message where media should be."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:64].lower()
    if head.isascii() and (refusal := of_text(head)):
        raise refusal
    if start.startswith(_PAGE_STARTS):
        kind = "JSON" if start[:1] in (b"{", b"[") else "a web page"
        raise dead("not_media", f"{kind} instead of media")
