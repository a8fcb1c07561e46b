"""The refresh of providers by Dispatcharr, over the lab's stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lab import Account, Lab, Library, Media, running
from streamflow.sources.dispatcharr import Dispatcharr, providers

AGE, PATIENCE = timedelta(hours=1), timedelta(seconds=30)


@pytest.fixture
def served(lab_media: Media, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(providers, "POLL_SECONDS", 0.02)
    accounts = [Account(1, "North", "n", "secret-n"), Account(2, "South", "s", "secret-s")]
    with running(
        Library([*accounts, Account(3, "Off", "o", "secret-o", is_active=False)], [], [], []), lab_media
    ) as lab:
        yield lab


def test_active_providers_are_refreshed_and_their_end_is_awaited(served: Lab, source: Dispatcharr) -> None:
    assert source.refresh_providers(AGE, PATIENCE) == {}
    state = served.servers.dispatcharr.state
    assert state.refreshes == [1, 2]
    assert [account["status"] for account in state.accounts[:2]] == ["success", "success"]


def test_a_provider_that_was_refreshed_a_short_while_ago_is_left_alone(served: Lab, source: Dispatcharr) -> None:
    served.servers.dispatcharr.state.accounts[0]["updated_at"] = datetime.now(UTC).isoformat()
    source.refresh_providers(AGE, PATIENCE)
    assert served.servers.dispatcharr.state.refreshes == [2]


def test_failures_are_told_without_passwords(served: Lab, source: Dispatcharr) -> None:
    state = served.servers.dispatcharr.state
    state.refresh_errors[2] = "404 for http://p.test/get.php?username=s&password=secret-s"
    failures = source.refresh_providers(AGE, PATIENCE)
    assert list(failures) == [2]
    assert "404" in failures[2]
    assert "secret-s" not in failures[2]
    # The error of this refresh counts, not that of the last one.
    state.refresh_errors.clear()
    assert source.refresh_providers(timedelta(0), PATIENCE) == {}


def test_a_refresh_that_does_not_end_is_given_up(served: Lab, source: Dispatcharr) -> None:
    served.servers.dispatcharr.state.refresh_seconds = 60
    failures = source.refresh_providers(AGE, timedelta(seconds=0.2))
    assert failures == dict.fromkeys((1, 2), "the refresh did not end in time")


def test_a_refused_refresh_is_a_failure_of_that_provider(served: Lab, source: Dispatcharr) -> None:
    served.servers.dispatcharr.state.faults = [{"status": 400, "body": "no", "path": "/api/m3u/refresh/1/"}]
    assert list(source.refresh_providers(AGE, PATIENCE)) == [1]
