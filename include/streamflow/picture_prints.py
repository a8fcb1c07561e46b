"""Fingerprints of a sample's pictures, kept as a comment in the JPEG of its thumbnail.

So they travel with the picture, are replaced with it, and are read without decoding it. A comment is a segment with the
marker FFFE (ITU-T T.81, B.2.4.5); it comes right behind the start of the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MOST: Final = 8
_START, _COMMENT = b"\xff\xd8", b"\xff\xfe"
_PREFIX = b"streamflow "
# The length of a segment counts its own two bytes.
_LENGTH_BYTES = 2
_PRINTS = re.compile(rb"(?:[0-9a-f]{16}){1,8}")


def with_prints(jpeg: bytes, prints: Iterable[int]) -> bytes:
    """Return a JPEG with fingerprints of 64 bits in its comment, or unchanged if there are none."""
    text = b"".join(b"%016x" % one for one in list(prints)[:MOST])
    if not text or not jpeg.startswith(_START):
        return jpeg
    payload = _PREFIX + text
    return _START + _COMMENT + (len(payload) + _LENGTH_BYTES).to_bytes(2, "big") + payload + jpeg[len(_START) :]


def prints_of(jpeg: bytes) -> tuple[int, ...]:
    """Return the fingerprints in the comment of a JPEG; empty for none."""
    head = len(_START) + len(_COMMENT)
    if jpeg[:head] != _START + _COMMENT:
        return ()
    length = int.from_bytes(jpeg[head : head + 2], "big")
    payload = jpeg[head + 2 : head + length]
    text = payload.removeprefix(_PREFIX)
    if not payload.startswith(_PREFIX) or not _PRINTS.fullmatch(text):
        return ()
    return tuple(int(text[at : at + 16], 16) for at in range(0, len(text), 16))
