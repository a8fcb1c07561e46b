from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from stream_tasks import cleaning


@pytest.mark.parametrize(
    ("job", "days", "cleans"),
    [("SchedulerJob", "30", True), ("SchedulerJob", "", False), ("TriggererJob", "30", False)],
)
def test_only_a_scheduler_cleans_and_only_where_the_retention_is_set(
    monkeypatch: pytest.MonkeyPatch, job: str, days: str, cleans: bool
) -> None:
    began, cleaned = threading.Event(), list[float]()

    def clean(kept: float) -> None:
        cleaned.append(kept)
        began.set()
        # The next cleaning is a day away, and the thread ends with the process.
        monkeypatch.setattr(cleaning, "EVERY_SECONDS", 86_400.0)

    monkeypatch.setenv("STREAMFLOW_AIRFLOW_KEEP_DAYS", days)
    monkeypatch.setattr(cleaning, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(cleaning, "clean", clean)
    component: Any = SimpleNamespace(job_type=job)
    cleaning.on_starting(component)
    assert began.wait(2 if cleans else 0.2) is cleans
    assert cleaned == ([30.0] if cleans else [])
