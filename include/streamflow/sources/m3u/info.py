"""One ``#EXTINF`` line: attributes with or without quotes of any kind, and a name that may hold commas."""

from __future__ import annotations

import re
from bisect import bisect_left

# Pictures inside a line are left out; the rest of the line is cut at this length.
INFO_CHARS = 16_384
# Attributes and stray words of a line; what follows more of them is the name. Each one takes microseconds.
MOST_PARTS = 200
_PICTURE = re.compile(r"data:[\w.+/;=-]{0,80}?base64,[\w+/=]*")
_DURATION = re.compile(r"\s*-?[\d.]*")
_KEY = re.compile(r"([A-Za-z][\w.-]*)\s?=\s?")
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "”": "”", "„": "“", "‘": "’", "’": "’"}
# A value in quotes ends only before a comma, the next attribute, or the end of the line.
_END = r"(?=\s{0,8}(?:,|$|[A-Za-z][\w.-]*\s?=))"
_NEXT = re.compile(r",|\s[A-Za-z][\w.-]*\s?=|$")
_ENDS = {closing: re.compile(closing + _END) for closing in set(_QUOTES.values())}
# An attribute that begins inside a value shows that the quotes of the value were never closed.
_BEGIN = {quote: re.compile(rf"\s[A-Za-z][\w.-]*\s?=\s?{quote}") for quote in _QUOTES}
# A value in quotes before a name without a comma.
_UNSEPARATED = {closing: re.compile(f"([^{closing}]*){closing}\\s+[^{closing}]+$") for closing in _ENDS}
_WORD = re.compile(r"[^\s,]+")


def read(line: str) -> tuple[dict[str, str], str]:
    """Return the attributes, by their names in lower case, and the stream's name.

    The time is proportional to the length of the line.

    :param line: the text after ``#EXTINF:``.
    """
    text = _PICTURE.sub("", line)[:INFO_CHARS]
    quotes: dict[str, _Quotes] = {}
    attributes: dict[str, str] = {}
    place = attributes_end = _skip(_DURATION, text, 0)
    parts = 0
    while place < len(text) and parts < MOST_PARTS:
        if text[place].isspace():
            place += 1
            continue
        parts += 1
        if text[place] == ",":
            name = text[place + 1 :].strip()
            # Some playlists write a comma after the duration too.
            if attributes or not _KEY.match(name):
                return attributes, name
            place += 1
        elif key := _KEY.match(text, place):
            value, place = _value(text, key.end(), quotes)
            attributes.setdefault(key.group(1).lower(), value)
            attributes_end = place
        else:
            place = max(_skip(_WORD, text, place), place + 1)
    # Without a comma, the words after the attributes are the name.
    return attributes, text[attributes_end:].strip() if attributes else ""


def duration(line: str) -> float | None:
    """Return the seconds at the beginning of the line, negative for a live stream; None without a number."""
    try:
        return float(line[: _skip(_DURATION, line, 0)])
    except ValueError:
        return None


class _Quotes:
    """The places of a line where values in one kind of quotes begin and end, found once for the whole line."""

    def __init__(self, text: str, quote: str) -> None:
        self._text = text
        # A value may hold its own kind of quotes, so not every closing quote is an end.
        self._ends = [found.start() for found in _ENDS[_QUOTES[quote]].finditer(text)]
        self._begins = [found.span() for found in _BEGIN[quote].finditer(text)]

    def value(self, start: int) -> tuple[str, int] | None:
        """Return the value whose quote opens at ``start``, and the position after it; None without an end."""
        following = bisect_left(self._ends, start + 1)
        if following == len(self._ends):
            return None
        end = self._ends[following]
        inner = bisect_left(self._begins, (start + 1, 0))
        if inner < len(self._begins) and self._begins[inner][1] <= end:
            end = self._begins[inner][0]
            return self._text[start + 1 : end].strip(), end
        return self._text[start + 1 : end].strip(), end + 1


def _value(text: str, start: int, quotes: dict[str, _Quotes]) -> tuple[str, int]:
    """Return the value that begins at ``start``, and the position after it."""
    quote = text[start : start + 1]
    if closing := _QUOTES.get(quote):
        end = text.find(closing, start + 1)
        if quote == closing and end >= 0 and _ENDS[closing].match(text, end):
            return text[start + 1 : end].strip(), end + 1
        if quote not in quotes:
            quotes[quote] = _Quotes(text, quote)
        if value := quotes[quote].value(start):
            return value
        start += 1
    found = _NEXT.search(text, start)
    end = found.start() if found else len(text)
    if closing and end == len(text) and (words := _UNSEPARATED[closing].match(text, start)):
        return words.group(1).strip(), words.end(1) + 1
    return text[start:end].strip().strip("".join(_QUOTES)), end


def _skip(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place
