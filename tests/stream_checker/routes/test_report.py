"""The health report of a run over HTTP: as JSON and as files."""

from __future__ import annotations

import csv
import io

import httpx

from ..library import RUN, SECRET

REPORT = f"/runs/{RUN}/report"


def test_a_report_shows_the_share_of_working_streams(admin: httpx.Client) -> None:
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


def test_a_report_is_a_csv_file(admin: httpx.Client) -> None:
    response = admin.get(REPORT, params={"format": "csv"})
    assert response.headers["content-disposition"] == 'attachment; filename="health-report.csv"'
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["name"] for row in rows if row["section"] == "accounts"] == ["Provider B", "Endless", "Provider A"]


def test_a_report_is_an_html_file_without_scripts(admin: httpx.Client) -> None:
    response = admin.get(REPORT, params={"format": "html"})
    assert response.headers["content-disposition"] == 'attachment; filename="health-report.html"'
    assert "sandbox" in response.headers["content-security-policy"]
    assert "Das Erste" in response.text
