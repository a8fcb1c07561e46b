"""Links from Airflow's tasks into the page, and the page of the API."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stream_checker.airflow.plugin import StreamCheckerPlugin
from stream_checker.airflow.task_link import place_of
from stream_checker.queries.dispatcharr_page import channels_page
from stream_tasks.check import CheckStream
from streamflow.records import Mode, Run

from .server import Server


def run(mode: Mode) -> Run:
    return Run(run_id="r+1", started_at=datetime(2026, 1, 1, tzinfo=UTC), mode=mode, stream_ids=(7, 9), channels={})


def test_a_mapped_check_leads_to_its_stream() -> None:
    assert place_of(run("concurrent"), "r+1", "check_stream", 1) == "stream/9"


def test_a_task_whose_stream_is_not_known_leads_to_its_run() -> None:
    for known, task, index in (
        (run("concurrent"), "check_stream", 2),
        (run("concurrent"), "check_stream", -1),
        (run("concurrent"), "check_stream_sequential", 0),
        (run("sequential"), "check_stream", 0),
        (None, "check_stream", 0),
    ):
        assert place_of(known, "r+1", task, index) == "run/r%2B1"


def test_airflow_finds_the_link_by_the_operators_class() -> None:
    (link,) = StreamCheckerPlugin().operator_extra_links
    assert link.operators == [CheckStream]


def test_the_page_of_the_api_asks_nobody_else(server: Server) -> None:
    with server.client() as nobody:
        answer = nobody.get("/docs")
        assert answer.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "http:" not in answer.text
        assert "https:" not in answer.text


@pytest.mark.parametrize(
    ("public", "own", "page"),
    [
        ("", "http://dispatcharr:9191/", "http://dispatcharr:9191/channels"),
        ("https://tv.example.org/d", "http://dispatcharr:9191", "https://tv.example.org/d/channels"),
        ("", "http://admin:word@192.0.2.7:9191", "http://192.0.2.7:9191/channels"),
        ("javascript:alert(1)", "", None),
        ("", "", None),
    ],
)
def test_dispatcharrs_channels_are_where_browsers_reach_them(
    monkeypatch: pytest.MonkeyPatch, public: str, own: str, page: str | None
) -> None:
    monkeypatch.setenv("DISPATCHARR_PUBLIC_URL", public)
    monkeypatch.setenv("DISPATCHARR_URL", own)
    assert channels_page() == page
