"""The alerts of a finished run, sent to a webhook and through an Airflow notifier.

A recipient that cannot be reached is logged: the run does not fail.
"""

from __future__ import annotations

import json
import logging
import os
import time
from pkgutil import resolve_name
from typing import Any

import httpx
from airflow.sdk import BaseNotifier, get_current_context

from streamflow.net.address_policy import ForbiddenAddressError
from streamflow.net.egress import Egress, EgressOptions
from streamflow.net.transport import Deadline, GuardedTransport
from streamflow.reports.alerts import Alert, alerts
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

WEBHOOK = "STREAMFLOW_ALERT_WEBHOOK"
# The notifier's class by its dotted path, and its arguments in JSON.
NOTIFIER = "STREAMFLOW_ALERT_NOTIFIER"
NOTIFIER_KWARGS = "STREAMFLOW_ALERT_NOTIFIER_KWARGS"

TRIES = 3
TIMEOUT_SECONDS = 10.0


def send(store: Store, run_id: str) -> list[Alert]:
    """Send the alerts of a finished run to the configured recipients, and return them.

    :raises UdiUnavailable: while the UDI is away.
    """
    address, notifier = os.environ.get(WEBHOOK), os.environ.get(NOTIFIER)
    state = store.runs.state(run_id) if address or notifier else None
    raised = alerts(store, state) if state else []
    if not raised:
        return []
    text = "\n".join([f"StreamFlow run {run_id}", *(alert.text for alert in raised)])
    document = {"run_id": run_id, "text": text, "alerts": [alert.model_dump() for alert in raised]}
    if address:
        post(address, document)
    if notifier:
        notify(notifier, document)
    return raised


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


def notify(path: str, document: dict[str, Any]) -> None:
    """Send through a notifier; its templates see ``alerts`` and ``alert_text`` beside the task's context."""
    try:
        notifier: BaseNotifier = resolve_name(path)(**json.loads(os.environ.get(NOTIFIER_KWARGS) or "{}"))
        notifier({**get_current_context(), "alerts": document["alerts"], "alert_text": document["text"]})
    except Exception:  # the configured class may raise anything
        log.exception("the alerts were not sent through %s", path)
