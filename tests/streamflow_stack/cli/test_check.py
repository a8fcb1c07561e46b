from __future__ import annotations

from typing import Any

import pytest

from streamflow_stack.cli.check import show_estimate

ESTIMATE: dict[str, Any] = {
    "streams": 120, "runs": 1, "seconds": 4000.0, "ends_at": "2026-01-02T04:06:40Z", "until": None, "fits": False,
    "decides": "North",
    "logins": [{"login": "a", "accounts": ["North"], "streams": 100, "limit": 2, "seconds": 3900.0},
               {"login": "b", "accounts": ["South"], "streams": 20, "limit": 0, "seconds": 42.0}],
}  # fmt: skip


def test_an_estimate_is_shown_by_login(capsys: pytest.CaptureFixture[str]) -> None:
    show_estimate(ESTIMATE)
    assert capsys.readouterr().out.splitlines() == [
        "120 streams in 1 h 6 min, until 2026-01-02T04:06 UTC",
        "  North: 100 streams, 2 at once, 1 h 5 min",
        "  South: 20 streams, no limit, 42 s",
        "decisive: North",
        "does not fit the window",
    ]
