"""The records of a JSON list, one at a time: a list may be larger than the memory, and a record may be broken."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

PIECE_BYTES = 1 << 16
# A record with more characters is not a record of a panel.
RECORD_CHARS = 1 << 20
_DECODER = json.JSONDecoder()
_AFTER_VALUE = frozenset(",:]} \t\r\n")
_MARK = re.compile(r'["{}\[\]]')
_STRING_END = re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL)


class InvalidListError(Exception):
    """The text is not a JSON list, or is cut off."""


@dataclass(frozen=True)
class Undecodable:
    """A record that JSON cannot express or Python cannot hold, such as a number of thousands of digits."""

    reason: str


class JsonList:
    """Reads the items of a JSON array, or the values of an object: PHP writes arrays with gaps as objects.

    Each record is decoded by itself, so that a broken one is skipped and the rest of the list is read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._text = ""
        self._at = 0
        self._is_whole = False

    def records(self) -> Iterator[object]:
        """Return the decoded records, with a :class:`Undecodable` for each that cannot be decoded.

        :raises InvalidListError: the text is not a JSON list, or is cut off.
        """
        start = self._next()
        if start == "n" and self._value() is None:
            # PHP writes null for a list that it does not have.
            return
        if start not in ("[", "{"):
            raise InvalidListError
        end = "]" if start == "[" else "}"
        self._at += 1
        while self._next() != end:
            if end == "}":
                self._value()
                self._take(":")
            self._next()
            yield self._value()
            if self._next() != end:
                self._take(",")

    def _take(self, expected: str) -> None:
        if self._next() != expected:
            raise InvalidListError
        self._at += 1

    def _next(self) -> str:
        """Skip blanks and return the next character without taking it; an empty text at the end of the file."""
        while True:
            while self._at < len(self._text):
                if not self._text[self._at].isspace():
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read a piece of the file; return whether there was one."""
        piece = self._file.read(PIECE_BYTES)
        self._text = self._text[self._at :] + self._decode(piece, final=not piece)
        self._at = 0
        self._is_whole = not piece
        return bool(piece)

    def _value(self) -> object:
        """Take the next value."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                broken_end = self._end_of_container()
                if broken_end is not None:
                    self._at = broken_end
                    return Undecodable(type(error).__name__)
            else:
                # A number may go on in the next piece.
                if self._is_whole or self._text[end : end + 1] in _AFTER_VALUE:
                    self._at = end
                    return value
            if self._is_whole or len(self._text) - self._at > RECORD_CHARS:
                raise InvalidListError
            self._more()

    def _end_of_container(self) -> int | None:
        """Return the position after the object or array that begins here; None where its end is not there yet."""
        if self._text[self._at : self._at + 1] not in ("{", "["):
            return None
        depth, at = 0, self._at
        while mark := _MARK.search(self._text, at):
            at = mark.end()
            if mark.group() == '"':
                string = _STRING_END.match(self._text, at)
                if string is None:
                    return None
                at = string.end()
                continue
            depth += 1 if mark.group() in "{[" else -1
            if depth == 0:
                return at
        return None
