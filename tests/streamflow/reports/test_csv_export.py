"""CSV that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from streamflow.reports.csv_export import csv_parts


def cell(value: object) -> str:
    """Return a value as a reader of the file sees it."""
    (row,) = csv.DictReader(io.StringIO("".join(csv_parts(["name"], [[{"name": value}]]))))
    return row["name"]


def test_every_cell_is_quoted() -> None:
    rows = [{"name": 'Say "hi"', "score": 0.5}, {"name": None, "score": -1}]
    assert "".join(csv_parts(["name", "score"], [rows])) == ('"name","score"\r\n"Say ""hi""","0.5"\r\n"","-1"\r\n')


def test_without_rows_there_is_the_header() -> None:
    assert "".join(csv_parts(["name"], [])) == '"name"\r\n'


@pytest.mark.parametrize(
    "formula",
    ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "  =1", '"=1', "'=1"],
)
def test_a_text_that_begins_like_a_formula_is_a_text(formula: str) -> None:
    lead = formula[: len(formula) - len(formula.lstrip(" \"'"))]
    assert cell(formula) == f"{lead}'{formula[len(lead) :]}"
    assert cell(f"ARD;{formula}") == f"ARD;{lead}'{formula[len(lead) :]}"


@pytest.mark.parametrize("hidden", ["\t=1", "\r=1", "\n=1", "\x00=1", "\u202e=1"])
def test_control_characters_neither_hide_a_formula_nor_break_a_line(hidden: str) -> None:
    assert cell(hidden) == " '=1"


def test_other_texts_and_numbers_stay() -> None:
    assert cell("Channel 1 - HD; +18") == "Channel 1 - HD; '+18"
    assert cell("e=mc²") == "e=mc²"
    assert cell(-0.5) == "-0.5"
