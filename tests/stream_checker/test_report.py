"""The health report of a run over HTTP: as JSON and as files."""

from __future__ import annotations

import csv
import io

import httpx
import pytest

from stream_checker.queries import report_file
from streamflow.reports.health import HealthReport

from .library import RUN, SECRET

REPORT = f"/runs/{RUN}/report"


def test_a_report_tells_what_works(admin: httpx.Client) -> None:
    report = admin.get(REPORT).raise_for_status().json()
    assert (report["total"]["decided"], report["total"]["working"]) == (3, 2)
    assert [(one["name"], one["share_working"]) for one in report["accounts"]] == [
        ("Provider B", 0.0),
        ("Endless", 1.0),
        ("Provider A", 1.0),
    ]
    assert ("Das Erste", 2) in [(one["name"], one["working"]) for one in report["worst_channels"]]
    assert SECRET not in str(report)
    assert admin.get("/runs/none/report").status_code == 404


def test_a_report_is_a_sheet(admin: httpx.Client) -> None:
    answer = admin.get(REPORT, params={"format": "csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="health-report.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["name"] for row in rows if row["section"] == "accounts"] == ["Provider B", "Endless", "Provider A"]


@pytest.mark.parametrize("format", ["html", "csv"])
def test_no_name_in_a_file_is_code(admin: httpx.Client, format: str) -> None:
    report = HealthReport.model_validate(admin.get(REPORT).json())
    report.worst_channels[0].name = "=<script>alert(1)</script>"
    text = bytes(report_file.response(report, format).body).decode()  # type: ignore[arg-type]
    assert ("<script>" not in text and "&lt;script&gt;" in text) if format == "html" else ",'=<script>" in text
