"""The alerts of runs and refreshes reach the recipients, once for each subject until it changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from stream_tasks import alerts, recipients
from streamflow.records import RunState
from streamflow.reports.alerts import expiring
from streamflow.udi.ports import Store
from support.alerting import run_after_a_night, settle


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return run_after_a_night(tmp_path)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The documents that a recipient gets."""
    documents: list[dict[str, Any]] = []
    monkeypatch.setenv(recipients.URLS, "json://127.0.0.1")
    monkeypatch.setattr(recipients, "deliver", lambda document: documents.append(document) or [])
    return documents


def state(store: Store, **changes: Any) -> RunState:
    state = store.runs.state("r")
    assert state
    return state.model_copy(update={"run": state.run.model_copy(update=changes)})


def test_a_run_is_reported_once_and_without_a_url(store: Store, redis_client: Redis, sent: list[Any]) -> None:
    settle(store, s3=("dead", "no_data"), s4=("dead", "no_data"))
    for _ in ("the summary", "its retry"):
        alerts.send_run(redis_client, store, state(store), {})
    (document,) = sent
    assert document["run_id"] == "r"
    assert [alert["kind"] for alert in document["alerts"]] == ["stream_dead", "channel_dark"]
    assert document["text"].endswith("1 channels with no stream left that can be watched: channel 2")
    assert "provider.test" not in str(document)


def test_a_night_ends_with_one_report(store: Store, redis_client: Redis, sent: list[Any]) -> None:
    settle(store, s1=("ok", None), s2=("ok", None), s6=("dead", "no_data"))
    night = "schedule__night__2026-01-02T03:00:00+00:00"
    for _ in ("the summary", "its retry"):
        alerts.send_run(redis_client, store, state(store, run_id=night), {})
    reports = [one["text"] for document in sent for one in document["alerts"] if one["kind"] == "night_report"]
    assert len(reports) == 1
    assert "2 ok" in reports[0] and "1 dead" in reports[0]


def test_only_the_last_run_of_a_chain_of_a_schedule_ends_a_night(
    store: Store, redis_client: Redis, sent: list[Any]
) -> None:
    settle(store, s1=("ok", None))
    alerts.send_run(redis_client, store, state(store), {})
    alerts.send_run(redis_client, store, state(store, run_id="schedule__night__x", remaining=5), {})
    assert sent == []
    last = state(store, run_id="schedule__night__x__part2")
    raised = alerts.send_run(redis_client, store, last, {"chain": {"first": "schedule__night__x", "number": 2}})
    assert [alert.kind for alert in raised] == ["night_report"]


def test_an_account_that_ends_is_reported_again_after_its_renewal(redis_client: Redis, sent: list[Any]) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for days, kinds in [(30, []), (7, ["account_expires"]), (5, []), (370, []), (3, ["account_expires"])]:
        condition = expiring([(1, "one", now + timedelta(days=days))], now)
        raised = alerts.send_conditions(redis_client, [condition], "accounts")
        assert [alert.kind for alert in raised] == kinds, days
    assert len(sent) == 2
    assert "one (2026-01-08)" in sent[0]["text"]


def test_without_redis_an_alert_is_rather_sent_twice(store: Store, sent: list[Any]) -> None:
    away = Redis(port=1, socket_connect_timeout=0.1)
    settle(store, s2=("dead", "http_404"))
    for _ in range(2):
        assert [alert.kind for alert in alerts.send_run(away, store, state(store), {})] == ["stream_dead"]
    assert len(sent) == 2


def test_without_recipients_nothing_is_remembered(
    store: Store, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (recipients.URLS, recipients.WEBHOOK, recipients.NOTIFIER):
        monkeypatch.delenv(name, raising=False)
    settle(store, s2=("dead", "http_404"))
    assert alerts.send_run(redis_client, store, state(store), {}) == []
    assert redis_client.keys("*alerts*") == []


def test_a_test_reaches_all_recipients(sent: list[Any]) -> None:
    alerts.send_test()
    assert [alert["kind"] for alert in sent[0]["alerts"]] == ["test"]
