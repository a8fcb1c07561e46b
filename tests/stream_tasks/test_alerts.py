"""The alerts of a finished run reach the configured recipients."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseNotifier

from stream_tasks import alerts
from streamflow.udi.ports import Store
from support.alerting import run_after_a_night, settle
from support.probing.scripted import Drip, Scripted, response


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return run_after_a_night(tmp_path)


class Webhook(HTTPServer):
    """Responds with each of ``statuses`` in turn."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = list(statuses)
        self.got: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/secret"


class Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.server.statuses.pop(0))
        self.end_headers()

    def log_message(self, *parts: object) -> None:
        """Keep quiet."""


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    server = Webhook(503, 200)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook_that_fails_is_tried_again(webhook: Webhook) -> None:
    assert alerts.post(webhook.address, {"text": "x"}, pause=0)
    assert webhook.got == [{"text": "x"}, {"text": "x"}]


def test_a_rejected_document_is_not_sent_again_and_the_address_stays_secret(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.statuses = [404]
    with caplog.at_level(logging.DEBUG, logger="stream_tasks"):
        assert not alerts.post(webhook.address, {}, pause=0)
    assert len(webhook.got) == 1
    assert "404" in caplog.text
    assert "secret" not in "".join(record.getMessage() for record in caplog.records if record.name == alerts.__name__)


def test_a_webhook_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "TIMEOUT_SECONDS", 0.4)
    monkeypatch.setattr(alerts, "TRIES", 1)
    with closing(Scripted()) as server:
        address = server.url("/", Drip(b"HTTP/1.1 103 Early Hints\r\n\r\n", every=0.05))
        started = time.monotonic()
        assert not alerts.post(address, {})
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("address", ["http://169.254.169.254/latest", "http://0.0.0.0:8080/", "http://[::1/"])
def test_a_webhook_at_a_forbidden_address_is_an_error_of_the_recipient(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not alerts.post(address, {}, pause=0)
    assert "did not accept the alerts" in caplog.text


def test_a_webhooks_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "TRIES", 1)
    with closing(Scripted()) as server:
        server.url("/inner", response(b"done"))
        assert not alerts.post(server.url("/hook", response(b"", status=307, Location="/inner")), {"text": "x"})
        assert server.asked == ["/hook"]


def test_alerts_reach_the_webhook_without_a_url(
    store: Store, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook.statuses = [200]
    monkeypatch.setenv(alerts.WEBHOOK, webhook.address)
    settle(store, s3=("dead", "no_data"), s4=("dead", "no_data"))
    assert [alert.kind for alert in alerts.send(store, "r")] == ["streams_dead", "channel_dark"]
    (document,) = webhook.got
    assert document["run_id"] == "r"
    assert document["text"].endswith("1 channels with no working stream left: channel 2")
    assert "provider.test" not in json.dumps(document)


class Kept(BaseNotifier):
    """A notifier whose template sees the alerts."""

    template_fields = ("text",)
    sent: list[str] = []  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.sent.append(self.text)


def test_a_configured_notifier_sees_the_alerts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(alerts.NOTIFIER, f"{__name__}.Kept")
    monkeypatch.setenv(alerts.NOTIFIER_KWARGS, json.dumps({"text": "{{ alerts[0].kind }}: {{ alert_text }}"}))
    monkeypatch.setattr(alerts, "get_current_context", dict)
    settle(store, s2=("dead", "http_404"))
    alerts.send(store, "r")
    assert Kept.sent == ["streams_dead: StreamFlow run r\n1 newly dead streams: stream 2"]


def test_a_notifier_that_does_not_exist_is_logged(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(alerts.NOTIFIER, "nowhere.Notifier")
    settle(store, s2=("dead", "http_404"))
    assert len(alerts.send(store, "r")) == 1
    assert "nowhere.Notifier" in caplog.text


def test_without_recipients_nothing_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(alerts.WEBHOOK, raising=False)
    monkeypatch.delenv(alerts.NOTIFIER, raising=False)
    settle(store, s2=("dead", "http_404"))
    assert alerts.send(store, "r") == []
