"""CSV that is safe to open in a spreadsheet (RFC 4180, with every cell quoted)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping

from streamflow.plain_text import plain_text

# A spreadsheet reads a cell that begins with one of these as a formula (OWASP, "CSV Injection"). Some begin a new cell
# at a semicolon.
_FORMULA = re.compile("(^|;)([\\s\"']*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def csv_parts(columns: list[str], parts: Iterable[Iterable[Mapping[str, object]]]) -> Iterator[str]:
    """Yield the header and then the lines of each part.

    :param columns: keys of the rows, in the order of the columns.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for rows in parts:
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
        yield _take(buffer)
    if rest := _take(buffer):
        yield rest


def _cell(value: object) -> object:
    """Return a value as it stands in its cell; an apostrophe makes a formula a text."""
    return _FORMULA.sub(r"\1\2'", plain_text(value)) if isinstance(value, str) else value


def _take(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
