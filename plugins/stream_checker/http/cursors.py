"""Opaque cursors: where the next page of a list begins, by the place of the last item before it.

A place is what the list is sorted by, ending in the item's id: it stays where it is whatever comes and goes meanwhile.
"""

from __future__ import annotations

import base64
import heapq
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from stream_checker.http.problems import Fault, Problem

Place = tuple[Any, ...]

MAX_LENGTH = 1000


def encode(order: str, place: Place) -> str:
    """The cursor of the page after ``place`` in a list of this order."""
    text = json.dumps([order, *place], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, order: str) -> Place:
    """The place that the page comes after; a cursor that this server did not make for the order is a 422."""
    try:
        of, *place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, RecursionError):
        raise _unknown() from None
    if of != order:
        raise _unknown()
    return tuple(place)


def by_id(id: int) -> Place:
    return (id,)


def page(
    ids: Iterable[int],
    cursor: str | None,
    limit: int,
    *,
    order: str = "id",
    place: Callable[[int], Place] = by_id,
    falling: bool = False,
) -> tuple[Sequence[int], str | None]:
    """The part of ``ids`` after ``cursor`` in the order of their places, and the cursor of what follows it."""
    places: Iterable[Place] = map(place, ids)
    if cursor:
        after = decode(cursor, order)
        try:
            places = [one for one in places if (one < after if falling else one > after)]
        except TypeError:
            raise _unknown() from None
    part = (heapq.nlargest if falling else heapq.nsmallest)(limit + 1, places)
    following = encode(order, part[limit - 1]) if len(part) > limit else None
    return [one[-1] for one in part[:limit]], following


def _unknown() -> Problem:
    message = "not a cursor of this list; leave it out to start from the beginning"
    return Problem(422, f"cursor: {message}", errors=[Fault(field="cursor", message=message)])
