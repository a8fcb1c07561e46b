from __future__ import annotations

import csv
import io

import pytest

from streamflow.cli.results import COLUMNS, FORMATS


def test_a_sheet_has_all_columns_and_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    found = [{"stream_id": 1, "name": '=HYPERLINK("x")', "verdict": "ok"}, {"stream_id": 2, "name": "News, again"}]
    FORMATS["csv"](iter(found))
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert tuple(rows[0]) == COLUMNS
    assert [row["name"] for row in rows] == ['\'=HYPERLINK("x")', "News, again"]
