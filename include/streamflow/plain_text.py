"""Text from outside without the characters that steer a terminal or hide the order of letters."""

from __future__ import annotations

import re
from typing import Any

# Control characters C0 and C1 (ISO 6429), line and paragraph separators, and the bidirectional controls of UAX #9.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")

# Guillemets, the fullwidth commercial at and bracket, and no style by asterisks and backquotes.
_INERT = str.maketrans({"<": "\u2039", ">": "\u203a", "@": "\uff20", "[": "\uff3b", "`": "'", "*": "\u2217"})
# A dot between letters, as in a domain.
_DOMAIN_DOT = re.compile(r"(?<=[^\W\d_])\.(?=[^\W\d_])")


def plain_text(text: str) -> str:
    """Return the text on one line, with a space for each run of control characters."""
    return _CONTROL.sub(" ", text)


def inert_text(text: str) -> str:
    """Return a text that chats and mail programs show as it stands: without mentions, links and markup.

    Slack reads ``<!channel>`` and ``<http://…|text>``, Discord ``@everyone`` and ``[text](http://…)``; many make a link
    of every domain. Similar characters take the place of those that begin such a thing.
    """
    return _DOMAIN_DOT.sub("\u2024", text.translate(_INERT)).replace("://", ":\u2044\u2044")


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
