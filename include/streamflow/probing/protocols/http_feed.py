"""SourceInfo a stream over HTTP: what answered, and its bytes whether they come as one body or in segments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from streamflow.probing.judgement.refusal import dead, of_text
from streamflow.probing.net.http_client import HttpClient
from streamflow.probing.protocols.dash import manifest
from streamflow.probing.protocols.dash.feed import DashFeed, ahead_by
from streamflow.probing.protocols.hls.feed import HlsFeed, is_playlist
from streamflow.probing.protocols.segments import PlaylistInfo, read_text

# Enough of the start to tell a playlist or a page from media.
HEAD_BYTES = 512
_PAGE_STARTS = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body", b"{", b"[")


@dataclass
class SourceInfo:
    """What the first answer told; filled in by the thread that receives."""

    answered: float | None = None
    status: int | None = None
    content_type: str | None = None
    length: int | None = None
    redirects: int = 0
    segmented: PlaylistInfo | None = None
    stopping: bool = field(default=False, repr=False)

    @property
    def is_finite(self) -> bool:
        """Whether it is a recording, which has an end."""
        return not self.segmented.is_live if self.segmented else self.length is not None


def feed(connection: HttpClient, url: str, opening: SourceInfo, patience: float) -> Iterator[bytes]:
    """The media's bytes; raises Refusal.

    :param patience: seconds after the answer in which the first of them must have come.
    """
    with connection.get(url) as answer:
        opening.answered = time.monotonic()
        opening.status, opening.redirects = answer.status, answer.redirects
        opening.content_type = answer.headers.get("content-type")
        length = answer.headers.get("content-length", "")
        opening.length = int(length) if length.isdigit() else None
        head = b""
        for chunk in answer.body:
            head += chunk
            if len(head) >= HEAD_BYTES or _is_telling(head):
                break
            if time.monotonic() - opening.answered > patience:
                raise dead("no_data", f"{len(head)} bytes in {patience:g} s")
        if not head:
            if opening.length or opening.length is None:
                raise dead("no_data", f"HTTP {answer.status}, and the end without a byte")
            raise dead("no_data", f"HTTP {answer.status} with an empty body")
        if not is_playlist(head) and not manifest.is_manifest(head):
            refuse_pages(head)
            yield head
            yield from answer.body
            return
        text = read_text(answer.body, head)
        where, ahead = answer.url, ahead_by(answer.headers)
    yield from _followed(connection, opening, where, text, ahead)


def _followed(connection: HttpClient, opening: SourceInfo, url: str, text: str, ahead: float) -> Iterator[bytes]:
    """The media behind a playlist or manifest, once its own connection is free."""
    is_hls = is_playlist(text[:HEAD_BYTES].encode())
    told = opening.segmented = PlaylistInfo("hls" if is_hls else "dash")

    def wanted() -> bool:
        return not opening.stopping

    feed = HlsFeed(connection, told, wanted) if is_hls else DashFeed(connection, told, wanted, ahead)
    yield from feed.follow(url, text)


def _is_telling(head: bytes) -> bool:
    return len(head) >= 8 and (is_playlist(head) or head[:1] == b"\x47")


def refuse_pages(head: bytes) -> None:
    """Raise Refusal for a web page or an error message where media should be."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:64].lower()
    if head.isascii() and (told := of_text(head)):
        raise told
    if start.startswith(_PAGE_STARTS):
        kind = "JSON" if start[:1] in (b"{", b"[") else "a web page"
        raise dead("not_media", f"{kind} instead of media")
