from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streamflow.checking.outages import Outages
from streamflow.checking.run_results import RunResults, is_recent
from streamflow.config import Config, Freshness
from streamflow.probing.target import KnownFigures
from streamflow.records import DeadMemory
from support.library import NOW, result, stored, stream
from support.memory_marks import MemoryMarks


@pytest.mark.parametrize(
    ("verdict", "hours", "fields", "recent"),
    [
        ("ok", 19, {}, True),
        ("ok", 21, {}, False),
        ("dead", 19, {}, True),
        ("unknown", 0, {}, False),
        ("skipped", 0, {}, False),
        ("ok", 1, {"url_hash": "that of another URL"}, False),
    ],
)
def test_a_decided_result_about_the_present_url_is_recent_for_its_pause(
    verdict: Any, hours: float, fields: dict[str, Any], recent: bool
) -> None:
    past = result(1, verdict, at=NOW - timedelta(hours=hours), **fields)
    assert is_recent(past, stream(1), Freshness(), NOW) is recent


def test_without_a_pause_no_result_is_recent() -> None:
    assert not is_recent(result(1), stream(1), Freshness(ok=0), NOW)


def test_the_figures_of_the_last_good_check_are_known_once_it_was_read(tmp_path: Path) -> None:
    store, settings = stored(tmp_path, {1: [1, 2]}), Config()
    results = RunResults(
        run_id="run", login="", outages=Outages(store, MemoryMarks(), settings.safety, "run"), store=store,
        settings=settings, home=tmp_path, open_destination=nullcontext, count=lambda _: None,
    )  # fmt: skip
    long_ago = datetime.now(UTC) - timedelta(days=2)
    good = result(1, at=long_ago, run_id="another", video_codec="h264", bitrate_kbps=4000)
    moved = result(2, at=long_ago, run_id="another", bitrate_kbps=4000, url_hash="another")
    for found in (good, moved):
        store.runs.settle("another", found)
    assert results.last_good(stream(1)) is None
    assert [results.recent(stream(number)) for number in (1, 2)] == [None, None]
    assert results.last_good(stream(1)) == KnownFigures.of(good) is not None
    assert results.last_good(stream(2)) is None


def test_a_dead_stream_that_a_refresh_brought_back_is_probed_again(tmp_path: Path) -> None:
    store, settings = stored(tmp_path, {1: [1]}), Config()
    results = RunResults(
        run_id="run", login="", outages=Outages(store, MemoryMarks(), settings.safety, "run"), store=store,
        settings=settings, home=tmp_path, open_destination=nullcontext, count=lambda _: None,
    )  # fmt: skip
    found = result(1, "dead", at=datetime.now(UTC) - timedelta(hours=2), run_id="another")
    store.runs.settle("another", found)
    assert results.recent(stream(1)) == found
    store.results.remember_dead({1: DeadMemory(failures=1, returned_at=datetime.now(UTC) - timedelta(hours=1))})
    assert results.recent(stream(1)) is None


@pytest.mark.parametrize(
    ("failures", "fields", "long_dead"),
    [
        (2, {}, True),
        (1, {}, False),
        (2, {"url_hash": "that of another URL"}, False),
        (2, {"returned_at": datetime.now(UTC)}, False),
        (2, {"verdict": "ok"}, False),
    ],
    ids=["twice", "once", "another address", "back again", "working"],
)
def test_a_stream_is_long_dead_after_as_many_failures_as_the_policy_asks_for(
    tmp_path: Path, failures: int, fields: dict[str, Any], long_dead: bool
) -> None:
    store, settings = stored(tmp_path, {1: [1]}), Config()
    results = RunResults(
        run_id="run", login="", outages=Outages(store, MemoryMarks(), settings.safety, "run"), store=store,
        settings=settings, home=tmp_path, open_destination=nullcontext, count=lambda _: None,
    )  # fmt: skip
    assert not results.is_long_dead(stream(1))
    memory = {"returned_at": fields.pop("returned_at")} if "returned_at" in fields else {}
    past = {"verdict": "dead", "at": datetime.now(UTC) - timedelta(hours=30), "run_id": "another"} | fields
    store.runs.settle("another", result(1, **past))
    store.results.remember_dead({1: DeadMemory(failures=failures, **memory)})
    assert results.is_long_dead(stream(1)) is long_dead
