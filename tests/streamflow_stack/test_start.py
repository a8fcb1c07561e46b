"""A start is patient with a busy machine, and ends early with a part that cannot live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from streamflow_stack import airflow_api, stack
from streamflow_stack.airflow_api import AirflowApi, AirflowError, AirflowUnreachable
from streamflow_stack.cli.console import follow
from streamflow_stack.processes import StackError
from streamflow_stack.stack import Stack

Handler = Callable[[httpx.Request], httpx.Response]
HEALTHY = {name: {"status": "healthy"} for name in stack.HEALTH_KEYS.values()}


class NoProcesses:
    """Processes of which none has ended, or all have."""

    logs = Path("logs")

    def __init__(self) -> None:
        self.fault: str | None = None

    def news(self) -> list[str]:
        return []

    def check(self) -> None:
        if self.fault:
            raise StackError(self.fault)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[Handler], Stack]]:
    """A stack whose Airflow is a function of the test."""
    monkeypatch.setattr(stack, "POLL_SECONDS", 0.0)

    def start(handler: Handler) -> Stack:
        client = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(handler))
        client.headers["Authorization"] = "Bearer token"
        monkeypatch.setattr(airflow_api.httpx, "Client", lambda **_: client)
        processes: Any = NoProcesses()
        return Stack(tmp_path, "http://airflow", "admin", "word", {}, processes)

    yield start


def airflow_with(timeouts: int, *, errors: tuple[dict[str, str], ...] = (), dags: bool = True) -> Handler:
    """Return an Airflow that is healthy, and times out for the first requests of another kind."""
    left = timeouts

    def respond(request: httpx.Request) -> httpx.Response:
        nonlocal left
        if "health" in request.url.path:
            return httpx.Response(200, json=HEALTHY)
        if left > 0:
            left -= 1
            raise httpx.ReadTimeout("busy", request=request)
        if request.url.path.endswith("importErrors"):
            return httpx.Response(200, json={"import_errors": errors})
        if request.method == "POST":
            return httpx.Response(200, json={"dag_run_id": "manual"})
        return httpx.Response(200 if dags else 404, json={})

    return respond


def test_a_start_survives_requests_that_time_out(started: Callable[[Handler], Stack]) -> None:
    said: list[str] = []
    stack._await_airflow(started(airflow_with(timeouts=5)), said.append)
    assert said == ["waiting for Airflow's api-server"]


def test_a_run_is_triggered_although_requests_time_out(started: Callable[[Handler], Stack]) -> None:
    assert started(airflow_with(timeouts=5)).trigger("refresh_udi", {}, print) == "manual"


def test_patience_ends(started: Callable[[Handler], Stack], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "START_SECONDS", 0.0)
    running = started(airflow_with(timeouts=1000))
    with pytest.raises(AirflowUnreachable):
        running.trigger("refresh_udi", {}, print)
    with pytest.raises(StackError, match="Airflow is not ready after 0 s, Airflow's api-server is missing"):
        stack._await_airflow(running, print)


def test_a_dag_file_with_an_error_ends_the_start(started: Callable[[Handler], Stack]) -> None:
    errors = ({"filename": "check_streams.py", "stack_trace": "SyntaxError"},)
    with pytest.raises(StackError, match=r"check_streams.py cannot be imported:\nSyntaxError"):
        stack._await_airflow(started(airflow_with(0, errors=errors, dags=False)), print)


def test_a_part_that_ends_for_good_ends_the_start(started: Callable[[Handler], Stack]) -> None:
    running = started(airflow_with(0, dags=False))
    running.processes.fault = "scheduler ended"  # type: ignore[attr-defined]
    with pytest.raises(StackError, match="scheduler ended"):
        stack._await_airflow(running, print)


def test_a_part_that_ends_for_good_ends_the_wait_for_a_run(started: Callable[[Handler], Stack]) -> None:
    running = started(lambda _: httpx.Response(200, json={"state": "running", "verdicts": {}, "total": 1, "done": 0}))
    running.processes.fault = "scheduler ended"  # type: ignore[attr-defined]

    def watch() -> None:
        running.watch(print)

    with pytest.raises(StackError, match="scheduler ended"):
        next(follow(running.api(), "manual", Console(), watch))
    with pytest.raises(StackError, match="scheduler ended"):
        running.api().wait("check_streams", "manual", timeout=60, check=watch)


def test_a_rejected_request_names_the_route_and_the_status(started: Callable[[Handler], Stack]) -> None:
    api: AirflowApi = started(lambda _: httpx.Response(403, text="no right")).api()
    with pytest.raises(AirflowError, match="GET /api/v2/dags/x: 403 no right"):
        api.has_dag("x")
