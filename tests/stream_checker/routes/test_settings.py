"""The settings: shown without passwords, changed by section, and logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from streamflow import config
from streamflow.config import Config

from ..library import SECRET
from ..server import Server

PROXY = f"socks5://me:{SECRET}@192.0.2.7:1080"
HIDDEN = "socks5://me:***@192.0.2.7:1080"


@pytest.fixture
def file(server: Server) -> Iterator[Path]:
    """Return the settings file, which holds the defaults before and after the test."""
    file = server.home / "settings" / "stream_checker_config.json"
    config.save(Config(), file)
    yield file
    config.save(Config(), file)


def test_the_settings_fit_their_schema_which_explains_each(admin: httpx.Client, file: Path) -> None:
    settings, schema = admin.get("/settings").json(), admin.get("/settings/schema").json()
    Draft202012Validator(schema).validate(settings)
    assert set(settings) == set(schema["properties"])
    sample = schema["$defs"]["Probe"]["properties"]["sample_seconds"]
    assert (sample["title"], sample["default"], sample["exclusiveMinimum"], sample["maximum"]) == (
        "Sample Seconds", 10, 0, 600,
    )  # fmt: skip
    unexplained = [
        f"{name}.{field}"
        for name, section in schema["$defs"].items()
        for field, value in section.get("properties", {}).items()
        if not value.get("description")
    ]
    assert unexplained == []


def test_a_part_of_a_section_is_changed_and_in_force_at_once(admin: httpx.Client, file: Path) -> None:
    changed = admin.put("/settings/probe", json={"sample_seconds": 15})
    assert changed.status_code == 200
    assert (changed.json()["sample_seconds"], changed.json()["retries"]) == (15, 2)
    assert admin.get("/settings").json()["probe"] == changed.json()
    assert admin.get("/probes").json()["sample_seconds"] == 15
    assert json.loads(file.read_text())["probe"]["sample_seconds"] == 15
    assert admin.put("/settings/max_streams_per_run", json=100).json() == 100
    assert admin.put("/settings/freshness_hours", json=6).json()["degraded"] == 6


@pytest.mark.parametrize(
    ("section", "value", "field", "message"),
    [
        ("probe", {"sample_second": 3}, "sample_second", "did you mean sample_seconds?"),
        ("probe", {"by_account": {"A": {"retries": 99}}}, "by_account.A.retries", "less than or equal to 10"),
        ("concurrent_streams", {"global_limit": -1}, "global_limit", "greater than or equal to 0"),
        ("max_streams_per_run", "many", "max_streams_per_run", "integer"),
        ("probe", [], "probe", "valid dictionary"),
        ("policies", [{"order": "best"}], "0.order", "score"),
        ("probe", {"proxy": "http://me:***@192.0.2.7:1080"}, "proxy", "enter it again"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_changes(
    admin: httpx.Client, file: Path, section: str, value: Any, field: str, message: str
) -> None:
    refused = admin.put(f"/settings/{section}", json=value)
    assert refused.status_code == 422
    [fault] = refused.json()["errors"]
    assert fault["field"] == field
    assert message in fault["message"]
    assert config.load(file) == Config()


def test_an_unknown_section_is_a_404_that_lists_the_known_ones(admin: httpx.Client) -> None:
    refused = admin.put("/settings/prob", json={})
    assert refused.status_code == 404
    assert "probe" in refused.json()["detail"]


def test_a_password_is_never_shown_and_stays_when_it_comes_back_hidden(admin: httpx.Client, file: Path) -> None:
    own = {"North": {"proxy": PROXY}}
    changed = admin.put("/settings/probe", json={"proxy": PROXY, "account_proxies": {"A": PROXY}, "by_account": own})
    assert changed.json()["proxy"] == changed.json()["account_proxies"]["A"] == HIDDEN
    assert changed.json()["by_account"]["North"]["proxy"] == HIDDEN
    shown = admin.get("/settings")
    log = admin.get("/settings/changes")
    assert SECRET not in changed.text + shown.text + log.text
    assert admin.put("/settings/probe", json={**shown.json()["probe"], "retries": 3}).status_code == 200
    stored = json.loads(file.read_text())["probe"]
    assert (stored["proxy"], stored["account_proxies"]["A"], stored["retries"]) == (PROXY, PROXY, 3)
    assert stored["by_account"]["North"]["proxy"] == PROXY
    # A hidden password never goes to another host.
    refused = admin.put("/settings/probe", json={"proxy": "socks5://me:***@198.51.100.1:1080"})
    assert refused.status_code == 422
    assert SECRET not in refused.text


def test_airflows_audit_log_says_who_changed_what(server: Server, admin: httpx.Client, file: Path) -> None:
    with server.client("editor") as editor:
        editor.put("/settings/probe", json={"retries": 4, "sample_seconds": 10})
        editor.put("/concurrency/config", json={"global_limit": 6})
    latest, former = admin.get("/settings/changes", params={"limit": 2}).json()["changes"]
    assert (latest["user"], latest["section"], latest["changes"]) == (
        "editor", "concurrent_streams", {"global_limit": [10, 6]},
    )  # fmt: skip
    assert former["changes"] == {"retries": [2, 4]}
    logged = httpx.get(
        f"{server.address}/api/v2/eventLogs",
        params={"event": "streamflow_settings", "order_by": "-id", "limit": 1},
        headers={"Authorization": f"Bearer {server.token('admin')}"},
    )
    [entry] = logged.json()["event_logs"]
    assert (entry["owner"], json.loads(entry["extra"])["changes"]) == ("editor", {"global_limit": [10, 6]})


def test_a_change_of_nothing_is_not_logged(admin: httpx.Client, file: Path) -> None:
    before = admin.get("/settings/changes").json()
    assert admin.put("/settings/probe", json={"retries": 2}).status_code == 200
    assert admin.get("/settings/changes").json() == before
