"""Regular expressions from outside: RE2 searches them in linear time, with bounded memory."""

from __future__ import annotations

from functools import lru_cache

import re2

_LOOK_AROUND = ("(?=", "(?!", "(?<")


@lru_cache(maxsize=1024)
def compiled(expression: str, max_memory: int) -> re2._Regexp:
    """Return an expression with the syntax of RE2.

    :param max_memory: bytes; RE2 builds an automaton that grows with the expression.
    :raises ValueError: when RE2 cannot use it; the message names the kind of fault and repeats no part of it, which
        may be a password.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = max_memory
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        [cause] = error.args
        raise ValueError(_kind(cause.decode(errors="replace"))) from None


def _kind(cause: str) -> str:
    kind, _, part = cause.partition(": ")
    if kind == "invalid perl operator" and part.startswith(_LOOK_AROUND):
        return "no look-around"
    if kind == "invalid escape sequence" and part[1:2] in tuple("123456789k"):
        return "no back references"
    return kind
