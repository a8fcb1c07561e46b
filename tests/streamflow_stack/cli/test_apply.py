"""The command shows the changes of the last scheduled run before scheduled runs may write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streamflow import config
from streamflow_stack.cli import apply

CHANGE = {
    "channel_id": 1, "run_id": "schedule__2", "at": "2026-01-02T03:00:00Z", "before": [1, 2], "after": [2, 1],
    "moves": [
        {"stream_id": 2, "before": 1, "after": 0, "why": "ok, score 0.80"},
        {"stream_id": 1, "before": 0, "after": 1, "why": "dead, http_404"},
    ],
    "written": False, "conflict": None,
}  # fmt: skip
RUNS = {
    "manual__3": {"run_id": "manual__3", "finished_at": "2026-01-02T05:00:00Z", "finished_channels": []},
    "schedule__2": {
        "run_id": "schedule__2",
        "finished_at": "2026-01-02T04:00:00Z",
        "finished_channels": [CHANGE],
    },
    "schedule__1": {
        "run_id": "schedule__1",
        "finished_at": "2026-01-01T04:00:00Z",
        "finished_channels": [],
    },
}
CHANNEL = {"name": "News", "names": {"1": "News HD", "2": "News FHD"}}


class Api:
    """The responses of a running stack."""

    def request(self, method: str, path: str, **_: Any) -> Any:
        name = path.rpartition("/")[2]
        if name == "runs":
            return {"runs": list(RUNS)}
        return RUNS.get(name, CHANNEL)


@pytest.fixture(autouse=True)
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("STREAMFLOW_CONFIG", raising=False)
    monkeypatch.setattr(apply, "connect", Api)


def consent() -> str:
    return config.load().safety.scheduled_write_back


def test_the_changes_are_shown_before_the_question() -> None:
    done = CliRunner().invoke(apply.command, input="n\n")
    assert done.exit_code == 0
    assert "News (not written):" in done.output
    assert "News FHD" in done.output
    assert "Channels that change by the run schedule__2: 1" in done.output
    assert consent() == "ask"


def test_a_yes_lets_scheduled_runs_write() -> None:
    assert CliRunner().invoke(apply.command, input="y\n").exit_code == 0
    assert consent() == "always"


def test_an_owner_who_agreed_is_not_asked_again() -> None:
    assert CliRunner().invoke(apply.command, ["--yes"]).exit_code == 0
    done = CliRunner().invoke(apply.command)
    assert done.exit_code == 0
    assert done.output == "Scheduled runs write their changes already.\n"
