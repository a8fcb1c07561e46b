"""Alerts: what a finished run found that somebody should know, told by webhook and by an Airflow notifier.

No alert names a stream's URL. Who cannot be told is logged: a run does not fail because nobody listens.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterable
from pkgutil import resolve_name
from typing import Any, Literal

import httpx
from airflow.sdk import BaseNotifier, get_current_context
from pydantic import BaseModel

from streamflow.masking import mask
from streamflow.records import Result, RunState
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

WEBHOOK = "STREAMFLOW_ALERT_WEBHOOK"
# As Airflow's own settings name a class and what it is made with.
NOTIFIER = "STREAMFLOW_ALERT_NOTIFIER"
NOTIFIER_KWARGS = "STREAMFLOW_ALERT_NOTIFIER_KWARGS"

WORKING = ("ok", "degraded")
MOST_NAMED = 20
TRIES = 3
TIMEOUT_SECONDS = 10.0

Kind = Literal["streams_dead", "channel_dark", "account_over_limit", "checks_lost"]


class Subject(BaseModel):
    """The stream, channel or account that an alert is about; an account may be none."""

    id: int | None
    name: str


class Alert(BaseModel):
    """``count`` things happened; ``subjects`` names at most 20 of them."""

    kind: Kind
    text: str
    count: int
    subjects: list[Subject]


def alerts(store: Store, state: RunState) -> list[Alert]:
    """What a run found that was not so before it. Raises UdiUnavailable."""
    results = _results(store, state)
    died = [result.stream_id for result in results.values() if result.verdict == "dead" and _was_alive(store, result)]
    streams = store.library.streams(died)
    refused = _by_account(store, results.values(), "provider_busy")
    lost = _by_account(store, results.values(), "internal_error")
    found = [
        _alert("streams_dead", "newly dead streams", [(id, streams[id].name) for id in died if id in streams]),
        _alert("channel_dark", "channels with no working stream left", _dark(store, state, set(died))),
        _alert("account_over_limit", "accounts refused as using one connection too many (checks)", refused),
        _alert("checks_lost", "accounts with checks that ended without a verdict; are workers down? (checks)", lost),
    ]
    return [alert for alert in found if alert]


def tell(store: Store, run_id: str) -> list[Alert]:
    """Tell whoever is configured about a finished run; answers what was told. Raises UdiUnavailable."""
    address, notifier = os.environ.get(WEBHOOK), os.environ.get(NOTIFIER)
    state = store.runs.state(run_id) if address or notifier else None
    found = alerts(store, state) if state else []
    if not found:
        return []
    text = "\n".join([f"StreamFlow run {run_id}", *(alert.text for alert in found)])
    document = {"run_id": run_id, "text": text, "alerts": [alert.model_dump() for alert in found]}
    if address:
        post(address, document)
    if notifier:
        notify(notifier, document)
    return found


def post(address: str, document: dict[str, Any], *, pause: float = 1.0) -> bool:
    """POST the document, tried again after a failure that may pass; whether it was taken."""
    for attempt in range(TRIES):
        try:
            answer = httpx.post(address, json=document, timeout=TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            why = type(error).__name__
        else:
            if answer.is_success:
                return True
            why = f"status {answer.status_code}"
            if answer.is_client_error and answer.status_code != 429:
                break
        if attempt + 1 < TRIES:
            time.sleep(pause * 2**attempt)
    # The address itself is often a secret.
    log.error("the alerts were not taken by the webhook: %s", why)
    return False


def notify(path: str, document: dict[str, Any]) -> None:
    """Send through a notifier; its templates see ``alerts`` and ``alert_text`` besides the task's context."""
    try:
        notifier: BaseNotifier = resolve_name(path)(**json.loads(os.environ.get(NOTIFIER_KWARGS) or "{}"))
        notifier({**get_current_context(), "alerts": document["alerts"], "alert_text": document["text"]})
    except Exception:  # whatever class was configured
        log.exception("the alerts were not sent through %s", path)


def _results(store: Store, state: RunState) -> dict[int, Result]:
    """The run's own results; a later one may have taken the place of some."""
    ids = {*state.streams, *(twin for twins in state.run.twins.values() for twin in twins)}
    return {id: result for id, result in store.results.latest_of(ids).items() if result.run_id == state.run.run_id}


def _was_alive(store: Store, result: Result) -> bool:
    """Whether the check before, which decided anything, found the stream alive; the first one counts as such."""
    for past in store.results.history(result.stream_id, 10):
        if past.run_id != result.run_id and past.verdict in (*WORKING, "dead"):
            return past.verdict != "dead"
    return True


def _dark(store: Store, state: RunState, died: set[int]) -> list[tuple[int, str]]:
    channels = [one for one in store.library.channels(state.run.channels) if died.intersection(one.stream_ids)]
    known = store.results.latest_of({id for channel in channels for id in channel.stream_ids})
    return [
        (channel.id, channel.name)
        for channel in channels
        if all(id in known and known[id].verdict == "dead" for id in channel.stream_ids)
    ]


def _by_account(store: Store, results: Iterable[Result], reason: str) -> list[tuple[int | None, str]]:
    names = {account.id: account.name for account in store.library.accounts()}
    counts = Counter(result.account_id for result in results if result.reason == reason)
    return [
        (id, f"{names.get(id, id) if id is not None else 'no account'} ({number})")
        for id, number in counts.most_common()
    ]


def _alert(kind: Kind, what: str, subjects: list[tuple[Any, str]]) -> Alert | None:
    if not subjects:
        return None
    named = [Subject(id=id, name=mask(name)) for id, name in subjects[:MOST_NAMED]]
    rest = f" and {len(subjects) - len(named)} more" if len(subjects) > len(named) else ""
    text = f"{len(subjects)} {what}: {', '.join(one.name for one in named)}{rest}"
    return Alert(kind=kind, text=text, count=len(subjects), subjects=named)
