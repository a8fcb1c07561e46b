"""A scheduler rests while nothing is due, and is fast as soon as something is."""

from __future__ import annotations

import time

import pytest
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

from stream_tasks import pacing


class Runner:
    """What the scheduler's loop does with the attribute."""

    sleep = pacing.IdleSleep()


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the database answers, one value a look; the last value stays."""
    answers = [False]
    monkeypatch.setattr(pacing, "is_work_due", lambda: answers.pop(0) if len(answers) > 1 else answers[0])
    monkeypatch.setattr(pacing, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(pacing, "REST_SECONDS", 0.1)
    return answers


def test_the_loop_has_the_attribute_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SchedulerJobRunner, "_scheduler_idle_sleep_time", None, raising=False)
    assert "_scheduler_idle_sleep_time" in SchedulerJobRunner.__init__.__code__.co_names
    assert "_scheduler_idle_sleep_time" in SchedulerJobRunner._run_scheduler_loop.__code__.co_names
    pacing.install()
    assert isinstance(vars(SchedulerJobRunner)["_scheduler_idle_sleep_time"], pacing.IdleSleep)


def test_an_idle_scheduler_rests(due: list[bool]) -> None:
    runner = Runner()
    runner.sleep = 0.05
    began = time.monotonic()
    assert runner.sleep == 0.0
    assert time.monotonic() - began >= 0.1


def test_new_work_ends_the_rest_and_keeps_the_scheduler_fast_for_a_while(
    due: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "LINGER_SECONDS", 0.2)
    due[:] = [False, False, True, False]
    runner = Runner()
    runner.sleep = 0.05
    began = time.monotonic()
    assert runner.sleep == 0.05
    assert runner.sleep == 0.05
    assert time.monotonic() - began < 0.1
    time.sleep(0.2)
    assert runner.sleep == 0.0
