"""One ``#EXTINF`` line: attributes in any kind of quotes or none, and a name that may hold commas."""

from __future__ import annotations

import re

# Pictures inside a line are left out; a line that is longer without them is cut.
INFO_CHARS = 16_384
_PICTURE = re.compile(r"data:[\w.+/;=-]{0,80}?base64,[\w+/=]*")
_DURATION = re.compile(r"\s*-?[\d.]*")
_KEY = re.compile(r"([A-Za-z][\w.-]*)\s?=\s?")
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "”": "”", "„": "“", "‘": "’", "’": "’"}
# Where a value may end: before a comma, the next attribute, or nothing.
_END = re.compile(r"\s{0,8}(?:,|$|[A-Za-z][\w.-]*\s?=)")
_NEXT = re.compile(r",|\s[A-Za-z][\w.-]*\s?=|$")
# A value in quotes that begins inside another one: the quotes of that were never closed.
_BEGIN = {quote: re.compile(rf"\s[A-Za-z][\w.-]*\s?=\s?{quote}") for quote in _QUOTES}
_WORD = re.compile(r"[^\s,]+")


def read(line: str) -> tuple[dict[str, str], str]:
    """Attributes by their names in lower case, and the name, of what follows ``#EXTINF:``."""
    text = _PICTURE.sub("", line)[:INFO_CHARS]
    attributes: dict[str, str] = {}
    place = _skip(_DURATION, text, 0)
    while place < len(text):
        if text[place].isspace():
            place += 1
        elif text[place] == ",":
            name = text[place + 1 :].strip()
            # A comma may stand behind the duration too.
            if attributes or not _KEY.match(name):
                return attributes, name
            place += 1
        elif key := _KEY.match(text, place):
            value, place = _value(text, key.end())
            attributes.setdefault(key.group(1).lower(), value)
        else:
            place = max(_skip(_WORD, text, place), place + 1)
    return attributes, ""


def _value(text: str, start: int) -> tuple[str, int]:
    """The value that begins here, and where it ends."""
    quote = text[start : start + 1]
    closing = _QUOTES.get(quote)
    if closing:
        # A value may hold its own quotes: it ends at the one that something else follows.
        end = text.find(closing, start + 1)
        while end >= 0:
            if _END.match(text, end + 1):
                lost = _BEGIN[quote].search(text, start + 1, end)
                end = lost.start() if lost else end
                return text[start + 1 : end].strip(), end + (not lost)
            end = text.find(closing, end + 1)
        start += 1
    found = _NEXT.search(text, start)
    end = found.start() if found else len(text)
    return text[start:end].strip().strip("".join(_QUOTES)), end


def _skip(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place
