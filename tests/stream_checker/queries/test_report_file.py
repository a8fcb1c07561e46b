"""The files of a health report with hostile names."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

from stream_checker.queries.report_file import HEALTH_SECTIONS, report_csv, report_html
from streamflow.reports.health import HealthReport, Share, WeakChannel

NAME = "=<script>alert(1)</script>\x1b[31m\u202eexe"
TOTAL = Share(id=None, name="all", streams=1, decided=1, working=0, verdicts={"dead": 1}, share_working=0.0)
REPORT = HealthReport(
    run_id="<b>run</b>",
    started_at=datetime(2026, 1, 2, tzinfo=UTC),
    finished_at=None,
    total=TOTAL,
    accounts=[],
    groups=[],
    worst_channels=[WeakChannel(channel_id=1, name=NAME, streams=1, working=0, best_score=None)],
    mislabelled=[],
    duplicates=[],
)


def test_a_name_is_no_markup_in_the_html_file() -> None:
    text = report_html(REPORT, HEALTH_SECTIONS, f"Report of {REPORT.run_id}", NAME)
    assert "<script>" not in text
    assert "=&lt;script&gt;" in text
    assert "<b>run" not in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_a_name_is_no_formula_in_the_csv_file() -> None:
    text = report_csv(REPORT, HEALTH_SECTIONS)
    assert not {"\x1b", "\u202e"} & set(text)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[-1]["name"].startswith("'=<script>")
    assert [row["section"] for row in rows] == ["total", "worst_channels"]
