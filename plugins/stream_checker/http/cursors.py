"""Opaque cursors of paged lists.

A cursor encodes the sort key of the last item on a page. A sort key ends in the item's id, so a page continues at the
right item even when other items come or go between two requests.
"""

from __future__ import annotations

import base64
import heapq
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from stream_checker.http.problems import Fault, Problem

SortKey = tuple[Any, ...]

MAX_LENGTH = 1000


def encode(order: str, key: SortKey) -> str:
    """Return the cursor of the page that follows the item with this sort key.

    :param order: name of the list's order; the cursor is valid for this order only.
    """
    text = json.dumps([order, *key], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, order: str) -> SortKey:
    """Return the sort key that a cursor encodes.

    :raises Problem: 422 when :func:`encode` did not make the cursor for this order.
    """
    try:
        cursor_order, *key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, RecursionError):
        raise _invalid_cursor() from None
    if cursor_order != order:
        raise _invalid_cursor()
    return tuple(key)


def id_key(id: int) -> SortKey:
    """Return the sort key of an item in the order of ids."""
    return (id,)


def page(
    ids: Iterable[int],
    cursor: str | None,
    limit: int,
    *,
    order: str = "id",
    key: Callable[[int], SortKey] = id_key,
    descending: bool = False,
) -> tuple[Sequence[int], str | None]:
    """Return one page of a list.

    :param ids: ids of all items, in any order.
    :param cursor: cursor that came with the page before; None for the first page.
    :param limit: number of items a page.
    :param order: name of the order.
    :param key: returns the sort key of an id.
    :returns: the ids of the page in order, and the cursor of the next page or None after the last.
    :raises Problem: 422 when the cursor is not valid for this list.
    """
    keys: Iterable[SortKey] = map(key, ids)
    if cursor:
        last = decode(cursor, order)
        try:
            keys = [one for one in keys if (one < last if descending else one > last)]
        except TypeError:
            raise _invalid_cursor() from None
    part = (heapq.nlargest if descending else heapq.nsmallest)(limit + 1, keys)
    next_cursor = encode(order, part[limit - 1]) if len(part) > limit else None
    return [one[-1] for one in part[:limit]], next_cursor


def _invalid_cursor() -> Problem:
    message = "not a cursor of this list; omit it to start at the first page"
    return Problem(422, f"cursor: {message}", errors=[Fault(field="cursor", message=message)])
