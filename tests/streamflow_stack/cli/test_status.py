"""What ``status`` prints of what the API tells."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from streamflow_stack.cli import status

ACCOUNT = {
    "account_id": 1,
    "name": "Provider [DE]",
    "max_streams": 3,
    "effective_limit": 1,
    "believed_limit": 2,
    "evidence": ["the panel says max_connections 2"],
    "viewers": 1,
    "active": 1,
    "waiting": 4,
}
TOLD = {
    "mode": "concurrent",
    "redis": "up",
    "global": {"limit": 10, "active": 1, "waiting": 4},
    "accounts": [ACCOUNT, ACCOUNT | {"name": "Endless", "max_streams": 0, "believed_limit": 0, "evidence": []}],
}


class Told:
    def request(self, method: str, path: str) -> dict[str, object]:
        assert (method, path) == ("GET", "/api/stream-checker/concurrency/status")
        return TOLD


def test_it_shows_limits_and_what_is_believed_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "connect", Told)
    shown = CliRunner().invoke(status.command, catch_exceptions=False).output
    assert "Provider [DE] │" in shown
    assert "Provider [DE]: believed 2 of 3: the panel says max_connections 2" in shown
    assert "Endless: believed" not in shown
