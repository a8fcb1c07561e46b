"""A health report as a file: CSV, or one HTML document that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Literal

from fastapi import Response

from streamflow.reports.csv_export import csv_parts
from streamflow.reports.health import HealthReport

TYPES = {"csv": "text/csv", "html": "text/html"}
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


def response(report: HealthReport, format: Literal["csv", "html"]) -> Response:
    """The report for saving."""
    return Response(
        "".join(_csv(report)) if format == "csv" else _html(report),
        media_type=f"{TYPES[format]}; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="health-report.{format}"',
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        },
    )


def _rows(report: HealthReport, section: str) -> list[dict[str, Any]]:
    found = getattr(report, section)
    return [row.model_dump() for row in (found if isinstance(found, list) else [found])]


def _csv(report: HealthReport) -> Iterator[str]:
    """All sections in one sheet, with a column for each of their fields."""
    rows = [{"section": section, **_told(row)} for section in SECTIONS for row in _rows(report, section)]
    return csv_parts(list(dict.fromkeys(column for row in rows for column in row)), [rows])


def _html(report: HealthReport) -> str:
    tables = "".join(_table(title, _rows(report, section)) for section, title in SECTIONS.items())
    title = f"Health report of {escape(report.run_id)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>Started {report.started_at:%Y-%m-%d %H:%M} UTC</p>{tables}</html>"
    )


def _table(title: str, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return f"<h2>{title}</h2><p>None.</p>"
    head = "".join(f'<th scope="col">{column.replace("_", " ")}</th>' for column in rows[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in _told(row).values())}</tr>" for row in rows
    )
    return f"<h2>{title}</h2><table><tr>{head}</tr>{body}</table>"


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {column: _text(value) for column, value in row.items()}


def _text(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else value
