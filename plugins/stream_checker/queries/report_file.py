"""A health report as a file: CSV, or one HTML document without further files."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from streamflow.plain_text import plain_text
from streamflow.reports.csv_export import csv_parts
from streamflow.reports.health import HealthReport

SECTIONS = {
    "total": "Total",
    "accounts": "Accounts",
    "groups": "Groups",
    "worst_channels": "Worst channels",
    "mislabelled": "Mislabelled streams",
    "duplicates": "Duplicates",
}
STYLE = (
    "body{font:14px system-ui,sans-serif;margin:2rem;color-scheme:light dark}table{border-collapse:collapse}"
    "th,td{border:1px solid #8888;padding:.25rem .5rem;text-align:start}"
)


def report_csv(report: HealthReport) -> str:
    """Return all sections as one table, with a column for each of their fields."""
    rows = [{"section": section, **_cells(row)} for section in SECTIONS for row in _rows(report, section)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return "".join(csv_parts(columns, [rows]))


def report_html(report: HealthReport) -> str:
    """Return the report as an HTML document with a table for each section."""
    tables = "".join(_table(title, _rows(report, section)) for section, title in SECTIONS.items())
    title = f"Health report of {_text(report.run_id)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>Started {report.started_at:%Y-%m-%d %H:%M} UTC</p>{tables}</html>"
    )


def _rows(report: HealthReport, section: str) -> list[dict[str, Any]]:
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
