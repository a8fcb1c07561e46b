"""The recipients of alerts: services that Apprise knows, a webhook, and an Airflow notifier.

A recipient that cannot be reached is logged, and the others get the alert all the same. Addresses are secrets: no log
and no response names more of them than the service.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

import apprise
import httpx
from airflow.sdk import BaseNotifier, get_current_context
from apprise.utils.parse import parse_urls

from streamflow.masking import HIDDEN
from streamflow.net.address_policy import ForbiddenAddressError
from streamflow.net.egress import Egress, EgressOptions
from streamflow.net.transport import Deadline, GuardedTransport

log = logging.getLogger(__name__)

# Any number of Apprise's addresses, with spaces or commas between them.
URLS = "STREAMFLOW_ALERT_URLS"
WEBHOOK = "STREAMFLOW_ALERT_WEBHOOK"
# The notifier's class by its dotted path, and its arguments in JSON.
NOTIFIER = "STREAMFLOW_ALERT_NOTIFIER"
NOTIFIER_KWARGS = "STREAMFLOW_ALERT_NOTIFIER_KWARGS"

TITLE = "StreamFlow"
TRIES = 3
TIMEOUT_SECONDS = 10.0

# Apprise logs addresses with their passwords: at DEBUG always, and at higher levels those that it cannot read. The HTTP
# client that it uses logs paths at DEBUG.
logging.getLogger("apprise").disabled = True
logging.getLogger("urllib3").setLevel(logging.INFO)


@dataclass(frozen=True)
class Delivery:
    """The delivery of an alert to one recipient.

    :param recipient: the service, without its address.
    """

    recipient: str
    is_accepted: bool


def are_set(env: Mapping[str, str] = os.environ) -> bool:
    """Return whether there is a recipient."""
    return any(env.get(name, "").strip() for name in (URLS, WEBHOOK, NOTIFIER))


def deliver(document: dict[str, Any]) -> list[Delivery]:
    """Send a document to every recipient.

    :param document: ``text`` for people, ``alerts`` and ``run_id`` for programs.
    """
    deliveries = list(_to_services(os.environ.get(URLS, ""), document["text"]))
    if address := os.environ.get(WEBHOOK):
        deliveries.append(Delivery("webhook", post(address, document)))
    if path := os.environ.get(NOTIFIER):
        deliveries.append(Delivery(path, notify(path, document)))
    return deliveries


def _to_services(urls: str, text: str) -> Iterator[Delivery]:
    for url in parse_urls(urls):  # type: ignore[no-untyped-call]
        service = apprise.Apprise.instantiate(url)
        if not isinstance(service, apprise.NotifyBase):
            log.error("%s: %s is no address of Apprise", URLS, _scheme(url))
            yield Delivery(_scheme(url), False)
            continue
        # A service takes 2,000 characters or so, and rejects longer texts as a whole.
        service.overflow_mode = apprise.OverflowMode.SPLIT
        sender = apprise.Apprise()
        sender.add(service)
        is_accepted = bool(sender.notify(body=text, title=TITLE, body_format=apprise.NotifyFormat.TEXT))
        if not is_accepted:
            log.error("%s did not accept the alerts", _scheme(url))
        yield Delivery(_scheme(url), is_accepted)


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://{HIDDEN}" if separator else HIDDEN


def post(address: str, document: dict[str, Any], *, pause: float = 1.0) -> bool:
    """POST the document, again after a failure that may pass, and return whether the webhook accepted it.

    :param pause: seconds before the second try; each further pause is twice as long.
    """
    for attempt in range(TRIES):
        transport = GuardedTransport(Egress(EgressOptions()), Deadline(TIMEOUT_SECONDS))
        try:
            # No redirect is followed, and one deadline bounds the whole exchange.
            with httpx.Client(transport=transport, timeout=TIMEOUT_SECONDS) as client:
                response = client.post(address, json=document)
        except (httpx.HTTPError, httpx.InvalidURL, ForbiddenAddressError) as error:
            why = type(error).__name__
        else:
            if response.is_success:
                return True
            why = f"status {response.status_code}"
            if response.is_client_error and response.status_code != 429:
                break
        if attempt + 1 < TRIES:
            time.sleep(pause * 2**attempt)
    # The address itself is often a secret.
    log.error("the webhook did not accept the alerts: %s", why)
    return False


def notify(path: str, document: dict[str, Any]) -> bool:
    """Send through a notifier, and return whether it raised no error.

    Its templates see ``alerts`` and ``alert_text`` beside the task's context, which a test has not.
    """
    try:
        notifier: BaseNotifier = resolve_name(path)(**json.loads(os.environ.get(NOTIFIER_KWARGS) or "{}"))
        notifier({**_context(), "alerts": document["alerts"], "alert_text": document["text"]})
    except Exception:  # the configured class may raise anything
        log.exception("the alerts were not sent through %s", path)
        return False
    return True


def _context() -> Mapping[str, Any]:
    try:
        return get_current_context()
    except RuntimeError:
        return {}
