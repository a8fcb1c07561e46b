"""The command makes Dispatcharr's webhooks, and refuses what cannot work before it changes anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from lab import Account, Lab, Library, Media, running
from streamflow.errors import ConfigError
from streamflow.sources.dispatcharr.webhooks import ROUTE
from streamflow_stack.cli import connect, remote
from support.web_server import serving

SECRET = "a-secret-of-thirty-two-characters"


@pytest.fixture(autouse=True)
def served(lab_media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with running(Library([Account(1, "North", "north", "secret-n", max_streams=1)], [], [], []), lab_media) as lab:
        for name in ("STREAMFLOW_XTREAM_URL", "STREAMFLOW_M3U", "DISPATCHARR_USERNAME", "DISPATCHARR_PASSWORD"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path))
        monkeypatch.setenv("DISPATCHARR_URL", lab.dispatcharr)
        monkeypatch.setenv("DISPATCHARR_API_KEY", lab.addresses()["api_key"])
        monkeypatch.setenv(connect.SECRET, SECRET)
        yield lab


def run(*arguments: str) -> Result:
    return CliRunner().invoke(connect.command, list(arguments))


def webhooks(served: Lab) -> list[str]:
    integrations = httpx.get(f"{served.dispatcharr}/lab/dispatcharr").json()["integrations"]
    return [one["config"]["url"] for one in integrations]


def test_a_second_call_replaces_the_webhook_of_the_first(served: Lab) -> None:
    with serving(b"{}", 202) as old, serving(b"{}", 202) as new:
        assert run("--url", old).exit_code == 0
        done = run("--url", new)
        assert done.exit_code == 0
        assert "removed: " in done.output
        assert done.output.endswith("the test event arrived.\n")
        assert webhooks(served) == [new + ROUTE]


def test_the_webhooks_are_shown_and_removed_without_the_secret(served: Lab) -> None:
    with serving(b"{}", 202) as address:
        run("--url", address)
    shown = run("--show").output
    assert shown.startswith(f"{address}{ROUTE} on channel_error, channel_failover, ")
    assert SECRET not in shown
    assert run("--remove").exit_code == 0
    assert webhooks(served) == []
    assert run("--show").output == "Dispatcharr has no webhook to StreamFlow.\n"


def test_a_test_event_that_does_not_arrive_is_a_failure_that_names_its_cause(served: Lab) -> None:
    done = run("--url", "http://127.0.0.1:1")
    assert done.exit_code == 1
    assert "Dispatcharr cannot reach StreamFlow" in done.output
    assert len(webhooks(served)) == 1


@pytest.mark.parametrize(
    ("secret", "arguments", "words"),
    [
        ("", ("--url", "http://192.0.2.5:8080"), "STREAMFLOW_WEBHOOK_SECRET is not set"),
        ("short", ("--url", "http://192.0.2.5:8080"), "STREAMFLOW_WEBHOOK_SECRET is too short"),
        (SECRET, ("--url", "192.0.2.5:8080"), "--url is not an http or https address"),
    ],
)
def test_a_mistake_leaves_the_present_webhook(
    served: Lab, monkeypatch: pytest.MonkeyPatch, secret: str, arguments: tuple[str, ...], words: str
) -> None:
    with serving(b"{}", 202) as address:
        run("--url", address)
    monkeypatch.setenv(connect.SECRET, secret)
    failed = run(*arguments)
    assert isinstance(failed.exception, ConfigError)
    assert words in str(failed.exception)
    assert webhooks(served) == [address + ROUTE]


def test_a_loopback_address_is_refused_for_a_dispatcharr_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    class Api:
        address = "http://127.0.0.1:8081"

    monkeypatch.setattr(remote, "connect", Api)
    monkeypatch.setenv("DISPATCHARR_URL", "http://192.0.2.7:9191")
    with pytest.raises(ConfigError, match=r"--url http://192\.0\.2\.5:8081"):
        connect.own_address(None)


def test_a_source_without_events_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPATCHARR_URL")
    monkeypatch.setenv("STREAMFLOW_M3U", "http://192.0.2.7/list.m3u")
    failed = run("--show")
    assert isinstance(failed.exception, ConfigError)
    assert "set DISPATCHARR_URL" in str(failed.exception)
