"""One ``#EXTINF`` line: attributes with or without quotes of any kind, and a name that may hold commas."""

from __future__ import annotations

import re

# Pictures inside a line are left out; the rest of the line is cut at this length.
INFO_CHARS = 16_384
_PICTURE = re.compile(r"data:[\w.+/;=-]{0,80}?base64,[\w+/=]*")
_DURATION = re.compile(r"\s*-?[\d.]*")
_KEY = re.compile(r"([A-Za-z][\w.-]*)\s?=\s?")
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "”": "”", "„": "“", "‘": "’", "’": "’"}
# A value in quotes ends only before a comma, the next attribute, or the end of the line.
_END = re.compile(r"\s{0,8}(?:,|$|[A-Za-z][\w.-]*\s?=)")
_NEXT = re.compile(r",|\s[A-Za-z][\w.-]*\s?=|$")
# An attribute that begins inside a value shows that the quotes of the value were never closed.
_BEGIN = {quote: re.compile(rf"\s[A-Za-z][\w.-]*\s?=\s?{quote}") for quote in _QUOTES}
_WORD = re.compile(r"[^\s,]+")


def read(line: str) -> tuple[dict[str, str], str]:
    """Return the attributes, by their names in lower case, and the stream's name.

    :param line: the text after ``#EXTINF:``.
    """
    text = _PICTURE.sub("", line)[:INFO_CHARS]
    attributes: dict[str, str] = {}
    place = _skip(_DURATION, text, 0)
    while place < len(text):
        if text[place].isspace():
            place += 1
        elif text[place] == ",":
            name = text[place + 1 :].strip()
            # Some playlists write a comma after the duration too.
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
    """Return the value that begins at ``start``, and the position after it."""
    quote = text[start : start + 1]
    closing = _QUOTES.get(quote)
    if closing:
        # A value may hold its own kind of quotes: it ends at the first one that ``_END`` follows.
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
