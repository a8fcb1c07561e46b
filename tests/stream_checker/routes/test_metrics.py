"""The metrics for Prometheus, and the dashboard and the alert rules that read them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from streamflow.records import Run
from streamflow.udi import Udi

from .. import library
from ..server import METRICS_TOKEN, Server

USE = Path(__file__).parents[3] / "docs" / "use"
RULES = USE / "prometheus-alerts.yaml"
DASHBOARD = USE / "grafana-dashboard.json"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool on this machine: apt-get install prometheus")

Labels = tuple[tuple[str, str], ...]


def metrics(client: httpx.Client) -> dict[tuple[str, Labels], float]:
    """Return the values by name and labels, without the accounts' ids."""
    response = client.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, tuple(sorted((k, v) for k, v in sample.labels.items() if k != "account_id"))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def finish_run(udi: Udi) -> None:
    """Add a finished run that finds a stream dead which worked before."""
    began = library.NOW - timedelta(seconds=30)
    run = Run(run_id="done", started_at=began, mode="concurrent", stream_ids=(7, 8), channels={})
    udi.runs.open(run)
    udi.runs.settle("done", library.result(7, run_id="done", checked_at=library.NOW, verdict="dead", reason="http_404"))
    udi.runs.settle("done", library.result(8, run_id="done", checked_at=library.NOW))
    udi.runs.close("done", {}, library.NOW)


def test_limits_and_viewers_are_those_of_the_limiter(admin: httpx.Client) -> None:
    found = metrics(admin)
    status = admin.get("/concurrency/status").json()
    for account in status["accounts"]:
        of_account = (("account", account["name"]),)
        limit = account["effective_limit"]
        assert found["streamflow_slots_in_use", of_account] == account["active"]
        assert found["streamflow_slots_limit", of_account] == (float("inf") if limit is None else limit)
        assert found["streamflow_account_max_streams", of_account] == (account["max_streams"] or float("inf"))
        assert found["streamflow_viewers", of_account] == account["viewers"]
        assert found["streamflow_waiting", of_account] == account["waiting"]
    assert found["streamflow_global_slots_in_use", ()] == status["global"]["active"] == 2
    assert found["streamflow_global_waiting", ()] == status["global"]["waiting"] == 1
    assert found["streamflow_global_slots_limit", ()] == 10
    assert found["streamflow_redis_up", ()] == 1


def test_streams_are_counted_by_account_and_verdict(admin: httpx.Client, udi: Udi) -> None:
    found = metrics(admin)
    counts = {key: value for (name, key), value in found.items() if name == "streamflow_streams"}
    assert sum(counts.values()) == library.STREAMS
    for verdict in ("ok", "degraded", "dead", "unknown", "skipped"):
        total = sum(value for key, value in counts.items() if ("verdict", verdict) in key)
        assert total == len(udi.results.streams_of_verdict(verdict))  # type: ignore[arg-type]
    assert counts[("account", "Provider B"), ("verdict", "dead")] == 1
    assert counts[("account", "without account"), ("verdict", "ok")] == 0


def test_the_last_finished_run_has_its_end_length_outcome_and_alerts(admin: httpx.Client, udi: Udi) -> None:
    finish_run(udi)
    found = metrics(admin)
    assert found["streamflow_last_run_end_timestamp_seconds", ()] == library.NOW.timestamp()
    assert found["streamflow_last_run_duration_seconds", ()] == 30
    outcome = {key[0][1]: value for (name, key), value in found.items() if name == "streamflow_last_run_streams"}
    assert outcome == {"ok": 1, "degraded": 0, "dead": 1, "unknown": 0, "skipped": 0}
    assert found["streamflow_alerts", (("kind", "stream_dead"),)] == 1
    assert found["streamflow_alerts", (("kind", "provider_down"),)] == 0


def test_the_token_for_metrics_opens_this_route_alone(server: Server, udi: Udi) -> None:
    with server.client() as prometheus:
        prometheus.headers["Authorization"] = f"Bearer {METRICS_TOKEN}"
        assert prometheus.get("/metrics").status_code == 200
        assert prometheus.get("/results").status_code == 401
        assert prometheus.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert prometheus.get("/metrics", headers={"Authorization": f"Basic {METRICS_TOKEN}"}).status_code == 401


def test_while_redis_is_away_its_metrics_are_missing_and_the_rest_stays(
    admin: httpx.Client, redis_away: Callable[[], AbstractContextManager[None]]
) -> None:
    with redis_away():
        found = metrics(admin)
    assert found["streamflow_redis_up", ()] == 0
    assert not [name for name, _ in found if name.startswith(("streamflow_slots", "streamflow_global"))]
    assert sum(value for (name, _), value in found.items() if name == "streamflow_streams") == library.STREAMS


def test_metrics_hold_no_url_and_no_password(admin: httpx.Client) -> None:
    text = admin.get("/metrics").text
    assert library.SECRET not in text
    assert "://" not in text


# -- the files for Prometheus and Grafana ----------------------------------------------------
def expressions() -> list[str]:
    """Return all expressions of the rules and of the dashboard, with the dashboard's variables filled in."""
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [*(rule["expr"] for rule in rules), *(expr.replace("$account", ".*") for expr in shown)]


def test_the_rules_and_the_dashboard_use_only_metrics_that_exist(admin: httpx.Client, udi: Udi) -> None:
    finish_run(udi)
    known = {name for name, _ in metrics(admin)}
    used = {name for expr in expressions() for name in re.findall(r"\bstreamflow_\w+", expr)}
    assert used - known == set()
    documented = set(re.findall(r"`(streamflow_\w+)`", (USE / "monitoring.md").read_text()))
    assert documented == known


@needs_promtool
def test_promtool_accepts_the_metrics(admin: httpx.Client, udi: Udi) -> None:
    finish_run(udi)
    text = admin.get("/metrics").text
    done = subprocess.run([str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_promtool
def test_promtool_accepts_the_rules_and_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(expressions())]
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    for each in (RULES, file):
        done = subprocess.run([str(PROMTOOL), "check", "rules", str(each)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def firing(tmp_path: Path, series: dict[str, str], minutes: int) -> set[str]:
    """Return the alerts that fire after some minutes of these series (promtool's notation)."""
    names = [rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]]
    fires = set()
    for name in names:
        test = {
            "rule_files": [str(RULES)],
            "evaluation_interval": "1m",
            "tests": [
                {
                    "interval": "1m",
                    "input_series": [{"series": key, "values": values} for key, values in series.items()],
                    "alert_rule_test": [{"eval_time": f"{minutes}m", "alertname": name, "exp_alerts": []}],
                }
            ],
        }
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(test))
        done = subprocess.run([str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True)
        # Without an expected alert the test fails where the alert fires.
        if done.returncode:
            assert "got:[" in done.stderr.replace(" ", "").replace("\n", ""), done.stderr
            fires.add(name)
    return fires


QUIET = {
    'up{job="streamflow"}': "1x60",
    "streamflow_redis_up": "1x60",
    "streamflow_last_run_end_timestamp_seconds": "0x60",
    'streamflow_slots_in_use{account="A"}': "1x60",
    'streamflow_viewers{account="A"}': "1x60",
    'streamflow_account_max_streams{account="A"}': "2x60",
    "streamflow_global_slots_in_use": "1x60",
    "streamflow_global_waiting": "5x60",
    'streamflow_streams{account="A",verdict="ok"}': "90x60",
    'streamflow_streams{account="A",verdict="dead"}': "10x60",
    'streamflow_alerts{kind="provider_down"}': "0x60",
    'streamflow_alerts{kind="channel_dark"}': "0x60",
}


@needs_promtool
@pytest.mark.parametrize(
    ("series", "alert"),
    [
        ({}, None),
        ({'up{job="streamflow"}': "0x60"}, "StreamFlowUnreachable"),
        ({"streamflow_redis_up": "0x60"}, "StreamFlowRedisAway"),
        ({"streamflow_last_run_end_timestamp_seconds": "-108000x60"}, "StreamFlowNoRun"),
        ({'streamflow_viewers{account="A"}': "2x60"}, "StreamFlowLimitExceeded"),
        ({"streamflow_global_slots_in_use": "0x60"}, "StreamFlowChecksStuck"),
        ({'streamflow_streams{account="A",verdict="dead"}': "100x60"}, "StreamFlowManyDeadStreams"),
        ({'streamflow_alerts{kind="provider_down"}': "1x60"}, "StreamFlowProviderDown"),
        ({'streamflow_alerts{kind="channel_dark"}': "1x60"}, "StreamFlowChannelDark"),
    ],
)
def test_each_rule_fires_for_its_cause_alone(tmp_path: Path, series: dict[str, str], alert: str | None) -> None:
    assert firing(tmp_path, QUIET | series, 45) == ({alert} if alert else set())


# The parts of Grafana's model of dashboards that this one uses
# (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/).
MODEL: dict[str, Any] = {
    "type": "object",
    "required": ["uid", "title", "schemaVersion", "panels", "templating", "time", "annotations"],
    "properties": {
        "uid": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "panels": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "gridPos", "datasource", "targets", "fieldConfig", "options"],
                "properties": {
                    "type": {"enum": ["stat", "timeseries", "bargauge"]},
                    "gridPos": {
                        "type": "object",
                        "required": ["x", "y", "w", "h"],
                        "properties": {
                            "x": {"type": "integer", "minimum": 0, "maximum": 23},
                            "y": {"type": "integer", "minimum": 0},
                            "w": {"type": "integer", "minimum": 1, "maximum": 24},
                            "h": {"type": "integer", "minimum": 1},
                        },
                    },
                    "datasource": {"const": {"type": "prometheus", "uid": "${datasource}"}},
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "object", "required": ["refId", "expr", "legendFormat"]},
                    },
                    "fieldConfig": {"type": "object", "required": ["defaults", "overrides"]},
                },
            },
        },
        "templating": {
            "type": "object",
            "required": ["list"],
            "properties": {"list": {"type": "array", "items": {"required": ["name", "type", "query"]}}},
        },
    },
}


def test_the_dashboard_follows_grafanas_model_and_no_panel_covers_another() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    jsonschema.validate(dashboard, MODEL)
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & own, panel["title"]
        cells |= own
