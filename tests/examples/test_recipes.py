"""The DAGs of the recipes load, and do what the recipes say."""

from __future__ import annotations

import json
import runpy
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk import Asset

DAGS = Path(__file__).parents[2] / "examples" / "recipes" / "dags"
SUMMARY = {"verdicts": {"ok": 8, "dead": 2}, "channels_changed": 3, "next_run_id": None}


class Jellyfin(BaseHTTPRequestHandler):
    """The two requests of Jellyfin's API that a refresh needs."""

    def do_GET(self) -> None:
        tasks = [{"Key": "CleanCache", "Id": "1"}, {"Key": "RefreshGuide", "Id": "7f"}]
        self._reply(200, json.dumps(tasks).encode())

    def do_POST(self) -> None:
        self.server.started.append((self.path, self.headers["Authorization"]))  # type: ignore[attr-defined]
        self._reply(204, b"")

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def jellyfin() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Jellyfin) as server:
        server.started = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def run(name: str, task: str, **arguments: Any) -> Any:
    """Call a task of a recipe's DAG as Airflow does."""
    bag = BundleDagBag(dag_folder=DAGS, safe_mode=False, bundle_path=DAGS, bundle_name="recipes")
    assert bag.import_errors == {}
    operator: Any = bag.dags[name].get_task(task)
    return operator.python_callable(**arguments)


@pytest.mark.parametrize(
    ("extra", "starts"),
    [({}, True), ({"channels_changed": 0}, False), ({"next_run_id": "manual__2"}, False)],
)
def test_the_guide_is_refreshed_after_the_last_run_that_changed_a_channel(
    jellyfin: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], starts: bool
) -> None:
    server = {"conn_type": "http", "host": "127.0.0.1", "port": jellyfin.server_port, "password": "key"}
    monkeypatch.setenv("AIRFLOW_CONN_JELLYFIN", json.dumps(server))
    events = {Asset("streamflow://results"): [SimpleNamespace(extra=SUMMARY | extra)]}
    assert run("refresh_guide", "refresh", triggering_asset_events=events) is starts
    expected = [("/ScheduledTasks/Running/7f", 'MediaBrowser Token="key"')] if starts else []
    assert jellyfin.started == expected  # type: ignore[attr-defined]


def test_the_weekly_report_counts_the_checks_of_all_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.apprise.hooks.apprise import AppriseHook

    sent = []
    monkeypatch.setattr(AppriseHook, "notify", lambda _, body, title: sent.append((title, body)))

    class Events(list[SimpleNamespace]):
        def after(self, at: str) -> Events:
            assert at < "9"
            return self

    events = {Asset("streamflow://results"): Events([SimpleNamespace(extra=SUMMARY)] * 2)}
    text = run("weekly_report", "send", inlet_events=events)
    assert text == "2 runs, 20 checks, 6 channels reordered\nok: 16\ndead: 4"
    assert sent == [("StreamFlow: the last week", text)]


def test_a_week_without_runs_has_a_report() -> None:
    script = runpy.run_path(str(DAGS / "weekly_report.py"))
    assert script["report"]([]) == "0 runs, 0 checks, 0 channels reordered"
