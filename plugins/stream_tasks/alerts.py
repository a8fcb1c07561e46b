"""Sends the alerts of finished runs, of refreshes and of tests to all recipients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from stream_tasks import recipients
from stream_tasks.recipients import Delivery
from streamflow import names, shared_settings
from streamflow.records import RunState
from streamflow.reports.alert_memory import RedisMemory
from streamflow.reports.alerts import Alert, Condition, alerts, night_report, of_run
from streamflow.udi.ports import Store


def send_run(
    redis: Redis, store: Store, state: RunState, params: dict[str, Any], exceeded: Mapping[int, int] | None = None
) -> list[Alert]:
    """Send the alerts of a finished run, and after a night's last run its report, and return them.

    :param params: the run's parameters, which hold its place in a chain.
    :param exceeded: by account the number of connections above its limit.
    :raises UdiUnavailable: while the UDI is away.
    """
    if not recipients.are_set():
        return []
    memory = RedisMemory(redis)
    unusable = shared_settings.load(redis).scoring.unusable_reasons
    raised = alerts(of_run(store, state, exceeded, unusable), memory)
    chain = params.get("chain") or {"first": state.run.run_id, "number": 1}
    first = str(chain["first"])
    is_over = first.startswith(names.SCHEDULED_RUN) and not state.run.remaining
    if is_over and memory.news("night_report", {first}, set())[0]:
        raised.append(night_report(_chain(store, first, int(chain["number"]), state), datetime.now(UTC)))
    _send(raised, f"run {state.run.run_id}", state.run.run_id)
    return raised


def send_conditions(redis: Redis, conditions: Sequence[Condition], what: str) -> list[Alert]:
    """Send what is new about some states, and return the alerts.

    :param what: where the states were found, for the first line of the text.
    """
    raised = alerts(conditions, RedisMemory(redis)) if recipients.are_set() else []
    _send(raised, what, None)
    return raised


def send_test() -> list[Delivery]:
    """Send a test alert to all recipients."""
    test = Alert(kind="test", text="This is a test. Alerts of StreamFlow arrive here.", count=0, subjects=[])
    return recipients.deliver(_document([test], "test", None))


def _send(raised: Sequence[Alert], what: str, run_id: str | None) -> None:
    if raised:
        recipients.deliver(_document(raised, what, run_id))


def _document(raised: Sequence[Alert], what: str, run_id: str | None) -> dict[str, Any]:
    text = "\n".join([f"StreamFlow {what}", *(alert.text for alert in raised)])
    return {"run_id": run_id, "text": text, "alerts": [alert.model_dump() for alert in raised]}


def _chain(store: Store, first: str, number: int, last: RunState) -> list[RunState]:
    """Return the runs of a chain that the UDI still holds."""
    ids = [names.chain_part(first, part) for part in range(1, number)]
    states = [store.runs.state(id) for id in ids if id != last.run.run_id]
    return [*(state for state in states if state), last]
