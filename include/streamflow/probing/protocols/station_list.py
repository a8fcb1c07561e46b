"""Station lists: a file with the address of the stream, where a player expects the stream (M3U, PLS, XSPF, ASX)."""

from __future__ import annotations

import re

from streamflow.probing.protocols.hls.playlist import MediaPlaylist, is_playlist, parse

_PLS = re.compile(rb"^[ \t]*+File\d++[ \t]*+=[ \t]*+(\S.*)", re.IGNORECASE | re.MULTILINE)
_XSPF = re.compile(rb"<location>([^<]++)</location>", re.IGNORECASE)
_ASX = re.compile(rb"""<ref\s[^<>]*?href\s*=\s*["']([^"'<>]++)""", re.IGNORECASE)
_ADDRESS = re.compile(rb"(?:https?|rtsp|rtmp|mms)://\S+\s*(?:\n|$)", re.IGNORECASE)
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}


def is_station_list(head: bytes) -> bool:
    """Return whether a body that begins with ``head`` is a list in a form other than M3U with its first line."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    if start[:10].lower() == b"[playlist]" or start[:4].lower() == b"<asx" or _ADDRESS.match(start):
        return True
    return start.startswith((b"<?xml", b"<playlist")) and b"xspf" in start


def first_entry(document: bytes) -> str | None:
    """Return the first address of a station list, which may be relative; None for any other document.

    An M3U list is a station list when it has no tag of HLS.
    """
    start = document.lstrip(b"\xef\xbb\xbf \r\n\t")
    if is_playlist(document):
        playlist = parse(document)
        if isinstance(playlist, MediaPlaylist) and playlist.is_plain and playlist.segments:
            return playlist.segments[0].uri
        return None
    if start[:10].lower() == b"[playlist]":
        match = _PLS.search(start)
    elif start.startswith(b"<"):
        match = _XSPF.search(start) or _ASX.search(start)
    else:
        match = re.match(rb"(\S+)", start)
    if match is None:
        return None
    address = match[1].strip().decode("utf-8", errors="replace")
    if start.startswith(b"<"):
        for entity, character in _ENTITIES.items():
            address = address.replace(entity, character)
    return address
