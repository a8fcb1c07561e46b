"""Dispatcharr's webhooks are made, tested and removed over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from lab import Account, Lab, Library, Media, running
from streamflow.errors import SourceRefused
from streamflow.sources.dispatcharr import Dispatcharr
from streamflow.sources.dispatcharr.webhooks import ROUTE, TEMPLATES, Webhook, Webhooks
from support.web_server import serving

SECRET = "a-secret-of-thirty-two-characters"


@pytest.fixture
def served(lab_media: Media) -> Iterator[Lab]:
    with running(Library([Account(1, "North", "north", "secret-n", max_streams=1)], [], [], []), lab_media) as lab:
        yield lab


@pytest.fixture
def webhooks(source: Dispatcharr) -> Webhooks:
    return source.webhooks


def integrations(served: Lab) -> list[dict[str, object]]:
    return list(httpx.get(f"{served.dispatcharr}/lab/dispatcharr").json()["integrations"])


def fail_next(served: Lab, path: str, status: int) -> None:
    faults = [{"status": status, "path": path, "body": "no"}]
    httpx.post(f"{served.dispatcharr}/lab/faults", json={"faults": faults}).raise_for_status()


def test_a_webhook_has_a_subscription_with_a_template_for_each_event(webhooks: Webhooks, served: Lab) -> None:
    made = webhooks.create("http://192.0.2.5:8080/", SECRET)
    assert made == Webhook(made.id, f"http://192.0.2.5:8080{ROUTE}", True, tuple(sorted(TEMPLATES)))
    (integration,) = integrations(served)
    assert integration["config"] == {"url": made.url, "headers": {"Authorization": f"Bearer {SECRET}"}}
    assert isinstance(integration["subscriptions"], list)
    assert {one["event"]: one["payload_template"] for one in integration["subscriptions"]} == TEMPLATES
    assert webhooks.present() == [made]


def test_a_removed_webhook_is_gone_and_its_removal_can_be_repeated(webhooks: Webhooks, served: Lab) -> None:
    made = webhooks.create("http://192.0.2.5:8080", SECRET)
    webhooks.remove(made.id)
    webhooks.remove(made.id)
    assert integrations(served) == webhooks.present() == []


def test_a_webhook_whose_subscription_is_rejected_does_not_stay_half_made(webhooks: Webhooks, served: Lab) -> None:
    fail_next(served, "/api/connect/subscriptions/", 400)
    with pytest.raises(SourceRefused):
        webhooks.create("http://192.0.2.5:8080", SECRET)
    assert integrations(served) == []


def test_webhooks_to_other_programs_are_left_alone(webhooks: Webhooks, served: Lab) -> None:
    session = httpx.Client(base_url=served.dispatcharr, headers={"X-API-Key": served.addresses()["api_key"]})
    with session:
        other = {"name": "StreamFlow", "type": "webhook", "config": {"url": "http://192.0.2.9/hook"}}
        session.post("/api/connect/integrations/", json=other).raise_for_status()
    assert webhooks.present() == []


def test_a_test_event_that_arrives_is_no_problem(webhooks: Webhooks) -> None:
    with serving(b"{}", 202) as address:
        assert webhooks.test(webhooks.create(address, SECRET).id) is None


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "rejected the secret"), (404, "no such route"), (500, "the address replied 500")],
)
def test_a_test_event_that_is_rejected_names_the_fix(webhooks: Webhooks, status: int, words: str) -> None:
    with serving(b"{}", status) as address:
        problem = webhooks.test(webhooks.create(address, SECRET).id)
    assert problem
    assert words in problem


def test_an_address_that_dispatcharr_cannot_reach_is_a_problem(webhooks: Webhooks) -> None:
    problem = webhooks.test(webhooks.create("http://127.0.0.1:1", SECRET).id)
    assert problem
    assert problem.startswith("Dispatcharr cannot reach StreamFlow: ")
