"""A scheduled run writes only after its owner has agreed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from stream_tasks.write_back import may_write
from streamflow.config import Config

SCHEDULED = SimpleNamespace(run_id="schedule__night__2026-01-02T03:00:00+01:00")
MANUAL = SimpleNamespace(run_id="manual__2026-01-02T03:00:00+01:00")


def settings(scheduled_write_back: str) -> Config:
    return Config.model_validate({"safety": {"scheduled_write_back": scheduled_write_back}})


@pytest.mark.parametrize(("consent", "expected"), [("ask", False), ("never", False), ("always", True)])
def test_a_scheduled_run_writes_only_with_consent(consent: str, expected: bool) -> None:
    assert may_write({"write_back": True}, SCHEDULED, settings(consent)) is expected
    assert not may_write({"write_back": False}, SCHEDULED, settings(consent))


@pytest.mark.parametrize("consent", ["ask", "never", "always"])
@pytest.mark.parametrize("dag_run", [MANUAL, None])
def test_any_other_run_follows_its_own_parameter(consent: str, dag_run: SimpleNamespace | None) -> None:
    assert may_write({"write_back": True}, dag_run, settings(consent))
    assert not may_write({"write_back": False}, dag_run, settings(consent))


def test_scheduled_runs_ask_by_default() -> None:
    assert not may_write({"write_back": True}, SCHEDULED, Config())
