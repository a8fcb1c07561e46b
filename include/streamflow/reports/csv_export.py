"""Rows as CSV that a spreadsheet can open safely, written part by part."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

# Spreadsheets run a cell with such a beginning as a formula, and names come from providers (OWASP: CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_parts(columns: list[str], parts: Iterable[Iterable[Mapping[str, object]]]) -> Iterator[str]:
    """Return the header, then the lines of each part.

    :param columns: the keys of the rows, in the order of the columns; a missing value becomes an empty cell.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for rows in parts:
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
        yield _taken(text)
    if rest := _taken(text):
        yield rest


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _taken(text: io.StringIO) -> str:
    taken = text.getvalue()
    text.seek(0)
    text.truncate()
    return taken
