"""Rows as CSV, a part at a time, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# A cell that begins so is a formula to a spreadsheet; names come from providers.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_parts(columns: list[str], parts: Iterable[Iterable[Mapping[str, Any]]]) -> Iterator[str]:
    """The header, then the lines of each part."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for rows in parts:
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
        yield _taken(text)
    if rest := _taken(text):
        yield rest


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _taken(text: io.StringIO) -> str:
    taken = text.getvalue()
    text.seek(0)
    text.truncate()
    return taken
