"""Alerts arrive at the services that people use, as their APIs receive them, and no log names an address."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from airflow.sdk import BaseNotifier
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.ntfy import NotifyNtfy
from apprise.plugins.telegram import NotifyTelegram

from stream_tasks import recipients
from stream_tasks.recipients import Delivery
from support.probing.scripted import Drip, Scripted, response

DOCUMENT = {
    "run_id": "r",
    "text": "StreamFlow run r\n1 newly dead streams: Das <b>Erste</b> & Co",
    "alerts": [{"kind": "stream_dead", "text": "1 newly dead streams: Das <b>Erste</b> & Co"}],
}
TOKEN = "S3CRETtokenOfTheTests"


@pytest.fixture(autouse=True)
def no_recipient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (recipients.URLS, recipients.WEBHOOK, recipients.NOTIFIER, recipients.NOTIFIER_KWARGS):
        monkeypatch.delenv(name, raising=False)


class Api(HTTPServer):
    """Stands in for the API of a service: records requests, and responds with ``status`` and ``answer``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ApiHandler)
        self.status, self.answer = 200, b"{}"
        self.got: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class ApiHandler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *parts: object) -> None:
        """Keep quiet."""


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def deliver(monkeypatch: pytest.MonkeyPatch, urls: str, document: dict[str, Any] = DOCUMENT) -> list[Delivery]:
    monkeypatch.setenv(recipients.URLS, urls)
    return recipients.deliver(document)


def test_discord_gets_the_text(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    # Discord API, "Execute Webhook": 204 No Content.
    api.status, api.answer = 204, b""
    monkeypatch.setattr(NotifyDiscord, "notify_url", f"{api.address}/api/webhooks")
    assert deliver(monkeypatch, f"discord://4174216298/{TOKEN}") == [Delivery("discord://***", True)]
    ((path, _, body),) = api.got
    assert path.startswith(f"/api/webhooks/4174216298/{TOKEN}")
    assert "1 newly dead streams: Das <b>Erste</b> & Co" in json.dumps(json.loads(body), ensure_ascii=False)


def test_telegram_gets_the_text_escaped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    # Telegram Bot API, "sendMessage" and "Making requests".
    api.answer = b'{"ok": true, "result": {}}'
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{api.address}/bot")
    assert deliver(monkeypatch, f"tgram://123456789:{TOKEN}/12315544/") == [Delivery("tgram://***", True)]
    ((path, _, body),) = api.got
    message = json.loads(body)
    assert path == f"/bot123456789:{TOKEN}/sendMessage"
    assert message["chat_id"] == 12315544
    assert "&lt;b&gt;Erste&lt;/b&gt;" in message["text"] or message.get("parse_mode") is None


def test_ntfy_gets_the_text_from_a_server_of_ones_own(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    # ntfy's documentation, "Publishing", "Publish as JSON".
    api.answer = b'{"id": "x", "event": "message"}'
    monkeypatch.setattr(NotifyNtfy, "request_rate_per_sec", 0)
    urls = f"ntfy://me:{TOKEN}@127.0.0.1:{api.server_port}/streams"
    assert deliver(monkeypatch, urls) == [Delivery("ntfy://***", True)]
    ((_, headers, body),) = api.got
    assert "newly dead streams" in body.decode()
    assert "streams" in json.loads(body)["topic"]
    assert headers["authorization"].startswith("Basic ")


class MailHandler(socketserver.StreamRequestHandler):
    """Accepts one message as a server of SMTP does (RFC 5321)."""

    def handle(self) -> None:
        self.reply("220 mail.test")
        while line := self.rfile.readline().strip():
            verb = line.split(b" ")[0].upper()
            if verb == b"EHLO":
                self.reply("250 mail.test")
            elif verb == b"DATA":
                self.reply("354 go on")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                self.server.messages.append(b"".join(lines))  # type: ignore[attr-defined]
                self.reply("250 accepted")
            elif verb == b"QUIT":
                self.reply("221 bye")
                return
            else:
                self.reply("250 ok")

    def reply(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[tuple[int, list[bytes]]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailHandler) as server:
        server.daemon_threads = True
        server.messages = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1], server.messages  # type: ignore[attr-defined]
        server.shutdown()


def test_a_mail_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as (port, messages):
        urls = f"mailto://127.0.0.1:{port}?from=streamflow@home.test&to=me@home.test&mode=insecure&smtp=127.0.0.1"
        assert deliver(monkeypatch, urls) == [Delivery("mailto://***", True)]
    (message,) = messages
    mail = message_from_bytes(message, policy=policy.default)
    assert "me@home.test" in mail["to"]
    assert "StreamFlow" in mail["subject"]
    part = mail.get_body(("plain",)) or mail.get_body(("html",))  # type: ignore[attr-defined]
    assert "newly dead streams" in part.get_content()


def test_a_text_that_is_too_long_for_a_service_is_sent_in_parts(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.answer = b'{"ok": true, "result": {}}'
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{api.address}/bot")
    text = " ".join(f"stream-{number}" for number in range(1000))
    assert deliver(monkeypatch, f"tgram://123456789:{TOKEN}/12315544/", {**DOCUMENT, "text": text})[0].is_accepted
    sent = "".join(json.loads(body)["text"] for _, _, body in api.got)
    assert len(api.got) > 1
    assert "stream-0" in sent and "stream-999" in sent


def test_every_recipient_is_tried_and_no_log_names_an_address(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api.status, api.answer = 401, b'{"ok": false}'
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{api.address}/bot")
    monkeypatch.setattr(NotifyNtfy, "request_rate_per_sec", 0)
    monkeypatch.setenv(recipients.WEBHOOK, f"{api.address}/{TOKEN}")
    urls = [
        f"tgram://123456789:{TOKEN}/12315544/",
        f"ntfy://me:{TOKEN}@127.0.0.1:1/{TOKEN}",
        f"nonsense://{TOKEN}",
        f"mailto://{TOKEN}",
    ]
    with caplog.at_level(logging.DEBUG):
        deliveries = deliver(monkeypatch, ",".join(urls))
    assert [one.recipient for one in deliveries] == [
        "tgram://***", "ntfy://***", "nonsense://***", "mailto://***", "webhook",
    ]  # fmt: skip
    assert not any(one.is_accepted for one in deliveries)
    assert [record.name for record in caplog.records if TOKEN in record.getMessage()] in ([], ["httpx"])
    assert "tgram://*** did not accept the alerts" in caplog.text


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
    assert recipients.post(webhook.address, {"text": "x"}, pause=0)
    assert webhook.got == [{"text": "x"}, {"text": "x"}]


def test_a_rejected_document_is_not_sent_again_and_the_address_stays_secret(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.statuses = [404]
    with caplog.at_level(logging.DEBUG, logger="stream_tasks"):
        assert not recipients.post(webhook.address, {}, pause=0)
    assert len(webhook.got) == 1
    assert "404" in caplog.text
    assert "secret" not in "".join(
        record.getMessage() for record in caplog.records if record.name == recipients.__name__
    )


def test_a_webhook_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipients, "TIMEOUT_SECONDS", 0.4)
    monkeypatch.setattr(recipients, "TRIES", 1)
    with closing(Scripted()) as server:
        address = server.url("/", Drip(b"HTTP/1.1 103 Early Hints\r\n\r\n", every=0.05))
        started = time.monotonic()
        assert not recipients.post(address, {})
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("address", ["http://169.254.169.254/latest", "http://0.0.0.0:8080/", "http://[::1/"])
def test_a_webhook_at_a_forbidden_address_is_an_error_of_the_recipient(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not recipients.post(address, {}, pause=0)
    assert "did not accept the alerts" in caplog.text


def test_a_webhooks_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipients, "TRIES", 1)
    with closing(Scripted()) as server:
        server.url("/inner", response(b"done"))
        assert not recipients.post(server.url("/hook", response(b"", status=307, Location="/inner")), {"text": "x"})
        assert server.asked == ["/hook"]


def test_the_webhook_gets_the_whole_document(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook.statuses = [200]
    monkeypatch.setenv(recipients.WEBHOOK, webhook.address)
    assert recipients.deliver(DOCUMENT) == [Delivery("webhook", True)]
    assert webhook.got == [DOCUMENT]


class Kept(BaseNotifier):
    """A notifier whose template sees the alerts."""

    template_fields = ("text",)
    sent: list[str] = []  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.sent.append(self.text)


def test_a_configured_notifier_sees_the_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{__name__}.Kept"
    monkeypatch.setenv(recipients.NOTIFIER, path)
    monkeypatch.setenv(recipients.NOTIFIER_KWARGS, json.dumps({"text": "{{ alerts[0].kind }}: {{ alert_text }}"}))
    assert recipients.deliver(DOCUMENT) == [Delivery(path, True)]
    assert Kept.sent == [f"stream_dead: {DOCUMENT['text']}"]


def test_a_notifier_that_does_not_exist_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(recipients.NOTIFIER, "nowhere.Notifier")
    assert recipients.deliver(DOCUMENT) == [Delivery("nowhere.Notifier", False)]
    assert "nowhere.Notifier" in caplog.text


def test_there_may_be_no_recipient() -> None:
    assert not recipients.are_set({recipients.URLS: " ", recipients.WEBHOOK: ""})
    assert recipients.are_set({recipients.URLS: "tgram://x/y"})
    assert recipients.deliver(DOCUMENT) == []
