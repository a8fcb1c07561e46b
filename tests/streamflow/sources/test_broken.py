"""Broken records are named within bounds, and without characters that steer a log or a terminal."""

from __future__ import annotations

from streamflow.sources.broken import MOST_NAMED, BrokenRecords


def test_a_record_that_names_itself_at_length_is_cut() -> None:
    broken = BrokenRecords("records")
    broken.add("stream \x1b]52;c;evil\x07\n2026-01-01 ERROR " + "x" * 2_000_000, "y" * 2_000_000)
    ((name, reason),) = broken.listed()
    assert name.startswith("stream  ]52;c;evil 2026-01-01 ERROR x")
    assert (len(name), len(reason)) == (100, 300)


def test_records_beyond_the_first_hundred_are_counted() -> None:
    broken = BrokenRecords("records")
    for number in range(MOST_NAMED + 5):
        broken.add(str(number), "wrong")
    assert len(broken.listed()) == MOST_NAMED + 1
    assert broken.listed()[-1] == ("5 more records", "could not be read either")
