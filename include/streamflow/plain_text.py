"""Text from outside without the characters that steer a terminal or hide the order of letters."""

from __future__ import annotations

import re

# Control characters C0 and C1 (ISO 6429), line and paragraph separators, and the bidirectional controls of UAX #9.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def plain_text(text: str) -> str:
    """Return the text on one line, with a space for each run of control characters."""
    return _CONTROL.sub(" ", text)
