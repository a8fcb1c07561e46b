"""Types of texts from outside: providers, playlists and media choose them, so each is cut to a length.

The texts of a record are on one line, without control characters, and can be encoded as UTF-8. A longer text is cut and
not rejected, because a wrong label must not hide a stream.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, ValidationInfo

from streamflow.plain_text import plain_text

NAME_LENGTH = 255
SENTENCE_LENGTH = 300
WORD_LENGTH = 100
# A longer URL is no stream's: RFC 9110, section 4.1, asks servers for 8,000 bytes.
URL_LENGTH = 8192
# RFC 5646, section 4.4.1: no registered combination of language tags is longer.
LANGUAGE_LENGTH = 35
# The largest number of items in one list or mapping of measurements, and of levels inside each other.
ITEMS = 100
LEVELS = 6


def cut(text: str, length: int) -> str:
    """Return a text on one line, without control characters, and with at most ``length`` characters."""
    if len(text) <= length and text.isprintable():
        return text
    # A part of a longer text is enough to fill the length, and takes less time to clean.
    encodable = text[: 2 * length].encode(errors="replace").decode()
    return plain_text(encodable).strip()[:length]


def _bounded(value: Any, levels: int = LEVELS) -> Any:
    match value:
        case str():
            return cut(value, SENTENCE_LENGTH)
        case dict() if levels:
            items = list(value.items())[:ITEMS]
            return {cut(str(name), WORD_LENGTH): _bounded(each, levels - 1) for name, each in items}
        case list() | tuple() if levels:
            return [_bounded(each, levels - 1) for each in value[:ITEMS]]
        case dict() | list() | tuple():
            return None
    return value


def _bounded_measurements(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    # Stored records were bounded when they were made.
    bounded: dict[str, Any] = value if info.mode == "json" else _bounded(value)
    return bounded


def _url(text: str, info: ValidationInfo) -> str:
    """Return a URL without control characters, which would end its line in a playlist (WHATWG URL, 4.4, too)."""
    # Stored records were checked when they were made.
    if info.mode == "json" or (len(text) <= URL_LENGTH and text.isprintable()):
        return text
    if len(text) > URL_LENGTH:
        raise ValueError(f"a URL of more than {URL_LENGTH:,} characters")
    return _STEERING.sub("", text.encode(errors="replace").decode())


# Control characters, line and paragraph separators.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
Url: TypeAlias = Annotated[str, AfterValidator(_url)]
Name: TypeAlias = Annotated[str, AfterValidator(lambda text: cut(text, NAME_LENGTH))]
Sentence: TypeAlias = Annotated[str, AfterValidator(lambda text: cut(text, SENTENCE_LENGTH))]
Word: TypeAlias = Annotated[str, AfterValidator(lambda text: cut(text, WORD_LENGTH))]
Language: TypeAlias = Annotated[str, AfterValidator(lambda text: cut(text, LANGUAGE_LENGTH))]
# Measurements of any form: every text, list and mapping in them is cut.
Measurements: TypeAlias = Annotated[dict[str, Any], AfterValidator(_bounded_measurements)]
