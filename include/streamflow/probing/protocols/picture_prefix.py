"""Pictures in front of media: some hosts send segments as the continuation of a picture file."""

from __future__ import annotations

from collections.abc import Iterator

# First bytes of PNG, JPEG, GIF, BMP and WebP (in RIFF).
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF")
MAX_PICTURE_BYTES = 4_000_000
_PACKET = 188
_PACKETS = 5
_BOXES = (b"ftyp", b"styp", b"moof", b"sidx")


def without_picture(body: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a segment's bytes from the first packet or box of media on, if a picture precedes it."""
    head = b""
    for chunk in body:
        head += chunk
        if len(head) >= 4:
            break
    if not head.startswith(_PICTURES):
        if head:
            yield head
        yield from body
        return
    held = bytearray(head)
    start = _media_start(held, 0)
    for chunk in body:
        if start is not None or len(held) > MAX_PICTURE_BYTES:
            break
        searched = max(0, len(held) - _PACKET * _PACKETS)
        held += chunk
        start = _media_start(held, searched)
    else:
        chunk = b""
    # Without media behind it, the picture is handed on: the demuxer then reports what it is.
    yield bytes(held[start or 0 :])
    if chunk:
        yield chunk
    yield from body


def _media_start(data: bytearray, begin: int) -> int | None:
    """Return the offset of the first transport stream packet or box of a fragment, None while there is none."""
    at = data.find(b"\x47", begin)
    while 0 <= at <= len(data) - _PACKET * (_PACKETS - 1) - 1:
        if data[at : at + _PACKET * _PACKETS : _PACKET] == b"\x47" * _PACKETS:
            return at
        at = data.find(b"\x47", at + 1)
    found = [place - 4 for box in _BOXES if (place := data.find(box, begin)) >= 4]
    return min(found, default=None)
