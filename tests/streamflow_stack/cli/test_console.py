"""The progress of a run on the terminal."""

from __future__ import annotations

import io

import httpx
import pytest
from rich.console import Console

from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.cli.console import follow


@pytest.mark.parametrize(
    ("reason", "shown"),
    [("there is no channel with the id 99", "there is no channel with the id 99"), (None, "its log in Airflow")],
)
def test_a_run_without_a_plan_tells_why(monkeypatch: pytest.MonkeyPatch, reason: str | None, shown: str) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/dagRuns/r"):
            return httpx.Response(200, json={"state": "failed"})
        if request.url.path.endswith("/airflow"):
            return httpx.Response(200, json={"reason": reason})
        return httpx.Response(404)

    api = AirflowApi("http://127.0.0.1:1", "admin", "")
    client = httpx.Client(
        base_url=api.address, headers={"Authorization": "Bearer a"}, transport=httpx.MockTransport(respond)
    )
    monkeypatch.setattr(api, "_client", client)
    text = io.StringIO()
    assert list(follow(api, "r", Console(file=text, width=200))) == []
    assert shown in text.getvalue()
