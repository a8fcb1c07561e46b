from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stream_tasks import cleaning
from streamflow.errors import ConfigError
from streamflow_stack import airflow


@pytest.mark.parametrize("told", ["soon", "0", "-3", "nan", "4000"])
def test_what_is_no_number_of_days_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: str
) -> None:
    monkeypatch.setenv("STREAMFLOW_AIRFLOW_KEEP_DAYS", told)
    with pytest.raises(ConfigError, match=f"STREAMFLOW_AIRFLOW_KEEP_DAYS: '{told}' is no number of days"):
        airflow.environment(tmp_path, 8080, workers=1)


@pytest.mark.parametrize(
    ("job", "days", "cleans"),
    [("SchedulerJob", "30", True), ("SchedulerJob", "", False), ("TriggererJob", "30", False)],
)
def test_only_a_scheduler_cleans_and_only_what_is_streamflows_own(
    monkeypatch: pytest.MonkeyPatch, job: str, days: str, cleans: bool
) -> None:
    began, cleaned = threading.Event(), list[float]()

    def clean(kept: float) -> None:
        cleaned.append(kept)
        began.set()
        # The next time is a day away, and the thread ends with the process.
        monkeypatch.setattr(cleaning, "EVERY_SECONDS", 86_400.0)

    monkeypatch.setenv("STREAMFLOW_AIRFLOW_KEEP_DAYS", days)
    monkeypatch.setattr(cleaning, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(cleaning, "clean", clean)
    component: Any = SimpleNamespace(job_type=job)
    cleaning.on_starting(component)
    assert began.wait(2 if cleans else 0.2) is cleans
    assert cleaned == ([30.0] if cleans else [])
