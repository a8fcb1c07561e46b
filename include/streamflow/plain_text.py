"""Text from outside without the characters that steer a terminal or hide the order of letters."""

from __future__ import annotations

import re
from typing import Any

# Control characters C0 and C1 (ISO 6429), line and paragraph separators, and the bidirectional controls of UAX #9.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def plain_text(text: str) -> str:
    """Return the text on one line, with a space for each run of control characters."""
    return _CONTROL.sub(" ", text)


def plain_values(value: Any) -> Any:
    """Return a JSON value with every text in it, keys included, as :func:`plain_text` returns it."""
    match value:
        case str():
            return plain_text(value)
        case list():
            return [plain_values(item) for item in value]
        case dict():
            return {plain_text(key): plain_values(item) for key, item in value.items()}
        case _:
            return value
