"""Labels: the promises of a stream's name, compared with what was measured."""

from __future__ import annotations

import re

# The least height that keeps the promise: cropped pictures have fewer lines than their class.
_PROMISES = (
    (re.compile(r"\b(8K|4320P?)\b", re.IGNORECASE), "8K", 3840),
    (re.compile(r"\b(4K|UHD|2160P?)\b", re.IGNORECASE), "4K", 1600),
    (re.compile(r"\b(FHD|FULL ?HD|1080[PI]?)\b", re.IGNORECASE), "FHD", 800),
    (re.compile(r"\b(HD|720P?)\b", re.IGNORECASE), "HD", 600),
)
_WIDTHS = {"8K": 7000, "4K": 3400, "FHD": 1800, "HD": 1200}
_HEVC = re.compile(r"\b(HEVC|[HX]\.?265)\b", re.IGNORECASE)
_HDR = re.compile(r"\b(HDR(10)?|HLG)\b", re.IGNORECASE)
_RADIO = re.compile(r"\bradio\b", re.IGNORECASE)


def mismatch(name: str, width: int, height: int, codec: str | None, hdr: str | None, *, interlaced: bool) -> str | None:
    """Return the first broken promise, as ``named 4K, measured 1080p``; None where all are kept."""
    measured = f"{height}{'i' if interlaced else 'p'}"
    text = name.replace("_", " ")
    for pattern, promise, lines in _PROMISES:
        if pattern.search(text):
            if height < lines and width < _WIDTHS[promise]:
                return f"named {promise}, measured {measured}"
            break
    if codec is not None and codec != "hevc" and _HEVC.search(text):
        return f"named HEVC, measured {codec}"
    if hdr is None and _HDR.search(text):
        return "named HDR, measured SDR"
    return None


def says_radio(name: str) -> bool:
    """Return whether a name says that no video is to be expected."""
    return bool(_RADIO.search(name))
