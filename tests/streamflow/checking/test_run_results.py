from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from streamflow.checking.run_results import is_recent
from streamflow.config import Freshness
from support.library import NOW, result, stream


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
