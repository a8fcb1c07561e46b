"""The index of results stays current, though an update reads few of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from stream_checker.queries.result_index import ResultIndex
from support.library import NOW, result, stored


def test_an_update_reads_new_results_and_withdrawn_verdicts(tmp_path: Path) -> None:
    store, index = stored(tmp_path, {1: [1, 2, 3]}), ResultIndex(max_age=0)
    for one in (1, 2):
        store.runs.settle("no run", result(one))
    assert index.current(store).keys() == {1, 2}
    store.runs.settle("no run", result(2, "dead", at=NOW + timedelta(hours=1)))
    store.runs.settle("no run", result(3, at=NOW + timedelta(minutes=59, seconds=30)))
    store.runs.settle("no run", result(1, "unknown", reason="source_unavailable"))
    assert {id: one.verdict for id, one in index.current(store).items()} == {1: "unknown", 2: "dead", 3: "ok"}


def test_a_comparison_finds_old_results_and_forgotten_streams(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 3]})
    seldom, always = ResultIndex(max_age=0), ResultIndex(max_age=0, compare_after=0)
    for one, days in ((1, 0), (2, -900)):
        store.runs.settle("no run", result(one, at=NOW + timedelta(days=days)))
    assert seldom.current(store).keys() == always.current(store).keys() == {1, 2}
    # Another machine's result is older than the newest known one, and stream 2 is in no library.
    store.results.add([result(3, at=NOW - timedelta(days=1))])
    store.prune()
    assert always.current(store).keys() == {1, 3}
    assert seldom.current(store).keys() == {1, 2}
