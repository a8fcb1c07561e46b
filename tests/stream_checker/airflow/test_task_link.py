"""Links from Airflow's tasks to the page."""

from __future__ import annotations

from datetime import UTC, datetime

from stream_checker.airflow.plugin import StreamCheckerPlugin
from stream_checker.airflow.task_link import page_fragment
from stream_tasks.check import CheckStream
from streamflow.records import Mode, Run


def run(mode: Mode) -> Run:
    return Run(run_id="r+1", started_at=datetime(2026, 1, 1, tzinfo=UTC), mode=mode, stream_ids=(7, 9), channels={})


def test_a_mapped_check_leads_to_its_stream() -> None:
    assert page_fragment(run("concurrent"), "r+1", "check_stream", 1) == "stream/9"


def test_a_task_of_an_unknown_stream_leads_to_its_run() -> None:
    for known, task, index in (
        (run("concurrent"), "check_stream", 2),
        (run("concurrent"), "check_stream", -1),
        (run("concurrent"), "check_stream_sequential", 0),
        (run("sequential"), "check_stream", 0),
        (None, "check_stream", 0),
    ):
        assert page_fragment(known, "r+1", task, index) == "run/r%2B1"


def test_airflow_finds_the_link_by_the_operators_class() -> None:
    (link,) = StreamCheckerPlugin().operator_extra_links
    assert link.operators == [CheckStream]
