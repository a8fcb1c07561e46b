"""A report as a file: CSV, or one HTML document without further files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Literal

from fastapi import Response
from pydantic import BaseModel

from streamflow.plain_text import plain_text
from streamflow.reports.csv_export import csv_parts

# The sections of each report, and their titles.
HEALTH_SECTIONS = {
    "total": "Total",
    "accounts": "Accounts",
    "groups": "Groups",
    "worst_channels": "Worst channels",
    "mislabelled": "Mislabelled streams",
    "duplicates": "Duplicates",
}
PROVIDER_SECTIONS = {
    "limits": "Connections",
    "total": "Checks",
    "by_hour": "By hour",
    "by_weekday": "By weekday",
    "reasons": "Reasons",
    "only_source": "Channels of this provider alone",
    "rivals": "Other providers on the same channels",
    "mislabelled": "Mislabelled streams",
}
TYPES = {"csv": "text/csv", "html": "text/html"}
FileFormat = Literal["json", "csv", "html"]
STYLE = (
    "body{font:14px system-ui,sans-serif;margin:2rem;color-scheme:light dark}table{border-collapse:collapse}"
    "th,td{border:1px solid #8888;padding:.25rem .5rem;text-align:start}"
)


def report_csv(report: BaseModel, sections: Iterable[str]) -> str:
    """Return the sections as one table, with a column for each of their fields."""
    rows = [{"section": section, **_cells(row)} for section in sections for row in _rows(report, section)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return "".join(csv_parts(columns, [rows]))


def report_html(report: BaseModel, sections: Mapping[str, str], title: str, note: str) -> str:
    """Return the report as an HTML document with a table for each section.

    :param sections: the title of each section.
    :param note: a line below the title.
    """
    tables = "".join(_table(name, _rows(report, section)) for section, name in sections.items())
    heading = _text(title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{heading}</title><style>{STYLE}</style>'
        f"<h1>{heading}</h1><p>{_text(note)}</p>{tables}</html>"
    )


def file_response(content: str, name: str, format: Literal["csv", "html"]) -> Response:
    """Return a report as a download that runs no script."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.{format}"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    return Response(content, media_type=f"{TYPES[format]}; charset=utf-8", headers=headers)


def _rows(report: BaseModel, section: str) -> list[dict[str, Any]]:
    rows = getattr(report, section)
    return [row.model_dump() for row in (rows if isinstance(rows, list) else [rows])]


def _table(title: str, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return f"<h2>{title}</h2><p>None.</p>"
    head = "".join(f'<th scope="col">{column.replace("_", " ")}</th>' for column in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{_text(value)}</td>' for value in _cells(row).values())}</tr>" for row in rows)
    return f"<h2>{title}</h2><table><tr>{head}</tr>{body}</table>"


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    return {column: _cell(value) for column, value in row.items()}


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else value


def _text(value: object) -> str:
    return escape(plain_text(str(value)))
