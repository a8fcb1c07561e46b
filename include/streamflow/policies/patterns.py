"""Patterns for names: an exact name, a glob with ``*``, a regular expression ``re:…``, or a number for an id."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import re2
from pydantic import PlainValidator, WithJsonSchema

from streamflow import expressions

EXPRESSION = "re:"
MAX_LENGTH = 255
MAX_MEMORY = 1 << 20


def _compiled(pattern: str) -> re2._Regexp:
    return expressions.compiled(pattern.removeprefix(EXPRESSION), MAX_MEMORY)


def _valid(pattern: object) -> int | str:
    if isinstance(pattern, int) and not isinstance(pattern, bool) and pattern >= 0:
        return pattern
    if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_LENGTH:
        raise ValueError(f"not a name of 1 to {MAX_LENGTH} characters and not an id; write for example 'News*' or 12")
    if pattern.startswith(EXPRESSION):
        try:
            _compiled(pattern)
        except ValueError as error:
            raise ValueError(f"not a regular expression of RE2 ({error}); write for example 're:(?i)sport'") from None
    return pattern


NamePattern: TypeAlias = Annotated[
    int | str,
    # A union's error would name its member in the path of the key.
    PlainValidator(_valid),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}, {"type": "integer"}]}),
]


def matches(pattern: int | str, id: int | None, name: str | None) -> bool:
    """Return whether a pattern matches a record.

    A number is an id. ``re:…`` is searched anywhere in the name, with the syntax of RE2. In other texts ``*`` stands
    for any characters and everything else for itself, so that a text without ``*`` is an exact name.

    :param name: None for a record without a name, which only an id matches.
    """
    if isinstance(pattern, int):
        return pattern == id
    if name is None:
        return False
    if pattern.startswith(EXPRESSION):
        return _compiled(pattern).search(name) is not None
    return name == pattern or ("*" in pattern and _globbed(pattern, name))


def _globbed(pattern: str, name: str) -> bool:
    first, *middle, last = pattern.split("*")
    if not name.startswith(first):
        return False
    place = len(first)
    for part in middle:
        found = name.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return name.endswith(last) and len(name) - len(last) >= place
