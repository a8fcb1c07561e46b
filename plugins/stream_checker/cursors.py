"""Opaque cursors: where the next page of a list in the order of its ids begins."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence

from stream_checker.problems import Fault, Problem


def encode(last_id: int) -> str:
    """The cursor of the page after ``last_id``."""
    return base64.urlsafe_b64encode(f"after:{last_id}".encode()).decode().rstrip("=")


def decode(cursor: str) -> int:
    """The id that the page comes after; a cursor that this server did not make is a 422."""
    try:
        word, _, number = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        if word == "after":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    message = "not a cursor of this list; leave it out to start from the beginning"
    raise Problem(422, f"cursor: {message}", errors=[Fault(field="cursor", message=message)])


def page(ids: Sequence[int], cursor: str | None, limit: int) -> tuple[Sequence[int], str | None]:
    """The part of the ascending ``ids`` after ``cursor``, and the cursor of what follows it."""
    start = bisect_right(ids, decode(cursor)) if cursor else 0
    part = ids[start : start + limit]
    return part, encode(part[-1]) if start + limit < len(ids) else None
