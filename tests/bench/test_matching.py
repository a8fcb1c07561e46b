"""Matching keeps its precision and recall on labelled names, of which one part was never looked at for the rules."""

from __future__ import annotations

import time

import pytest

from bench.labelled_names import PARTS, Part, labelled, large
from bench.matching import RULES, WAYS, figures
from streamflow.matching.matcher import match


def test_the_list_is_long_and_its_parts_have_nothing_in_common() -> None:
    rows = labelled()
    assert len(rows) >= 2000
    assert rows == labelled()
    assert {row.channel.country for row in rows if row.channel} == {"DE", "UK", "FR", "ES", "IT"}
    channels = {part: {row.channel for row in rows if row.channel and row.part == part} for part in PARTS}
    assert not channels["train"] & channels["test"]


@pytest.mark.parametrize("part", PARTS)
def test_precision_and_recall_are_as_wanted(part: Part) -> None:
    found = figures(WAYS["streamflow"], labelled(), part)
    assert found["precision"] >= 0.995
    assert found["recall"] >= 0.9


def test_the_plain_ways_are_measured_in_the_same_manner() -> None:
    rows = labelled()
    for way in ("regex", "fuzzy"):
        found = figures(WAYS[way], rows, "test")
        assert 0 < found["precision"] < 0.9, way


def test_many_streams_take_microseconds_each() -> None:
    channels, streams = large(10_000, 3_000)
    held = list(streams)
    started = time.process_time()
    assert sum(1 for _ in match(channels, held, RULES)) >= len(held)
    # 20 s for 200,000 streams on a machine of its own; this one may be busy.
    assert time.process_time() - started < 3
