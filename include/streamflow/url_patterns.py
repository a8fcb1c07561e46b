"""The patterns that rewrite an account's URLs to those of another login, with JavaScript's syntax.

Dispatcharr's users write them in a browser that shows the effect. Expressions have the syntax that JavaScript and RE2
share, with groups ``(…)`` and ``(?<name>…)``. Replacements refer to ``$1``, ``$<name>``, ``$&``, ``$```, ``$'`` and
``$$`` (ECMA-262, RegExp and GetSubstitution). All places that fit are replaced, as Dispatcharr does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

from streamflow import expressions
from streamflow.errors import UnusablePattern
from streamflow.records.text import URL_LENGTH

# Dispatcharr stores 255 characters of each.
MAX_LENGTH = 1000
# With the memory, the bound of the time: each search reads the rest of the URL.
MAX_REPLACED = 32
MAX_MEMORY = 1 << 16

_REFERENCE = re.compile(r"\$(?:[$&`']|[0-9]{1,2}|<[^<>]*>)")


def check(search: str, replace: str) -> None:
    """Check that a pattern can be used.

    :raises UnusablePattern: when it cannot.
    """
    if max(len(search), len(replace)) > MAX_LENGTH:
        raise UnusablePattern(f"its pattern has more than {MAX_LENGTH} characters")
    _compiled(search)


def rewritten(url: str, search: str, replace: str) -> str:
    """Return a URL with all places that fit ``search`` replaced; unchanged for an empty ``search``.

    :raises UnusablePattern: when the pattern cannot be used, or not for this URL.
    """
    check(search, replace)
    if not search:
        return url
    parts, length = [], 0
    for part in _parts(url, _compiled(search), replace):
        length += len(part)
        if length > URL_LENGTH:
            raise UnusablePattern(f"its pattern makes a URL of more than {URL_LENGTH:,} characters")
        parts.append(part)
    return "".join(parts)


def _compiled(search: str) -> re2._Regexp:
    try:
        return expressions.compiled(search, MAX_MEMORY)
    except ValueError as error:
        raise UnusablePattern(f"its pattern is no regular expression of RE2 ({error})") from None


def _parts(url: str, pattern: re2._Regexp, replace: str) -> Iterator[str]:
    place = 0
    for number, match in enumerate(pattern.finditer(url)):
        if number == MAX_REPLACED:
            raise UnusablePattern(f"its pattern fits more than {MAX_REPLACED} places of a URL")
        yield url[place : match.start()]
        yield from _replacement(match, replace)
        place = match.end()
    yield url[place:]


def _replacement(match: re2._Match, replace: str) -> Iterator[str]:
    place = 0
    for reference in _REFERENCE.finditer(replace):
        yield replace[place : reference.start()]
        yield _referenced(match, reference.group())
        place = reference.end()
    yield replace[place:]


def _referenced(found: re2._Match, reference: str) -> str:
    """Return the text that a reference stands for; a reference to no group stands for itself."""
    match reference[1]:
        case "$":
            return "$"
        case "&":
            return str(found.group())
        case "`":
            return str(found.string[: found.start()])
        case "'":
            return str(found.string[found.end() :])
        case "<":
            names, name = found.re.groupindex, reference[2:-1]
            return (found.group(name) or "" if name in names else "") if names else reference
    for digits in (reference[1:], reference[1]):
        if 0 < int(digits) <= found.re.groups:
            return (found.group(int(digits)) or "") + reference[1 + len(digits) :]
    return reference
