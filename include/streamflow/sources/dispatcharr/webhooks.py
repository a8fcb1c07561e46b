"""Dispatcharr's webhooks to StreamFlow, made and removed by its API.

Dispatcharr calls a webhook an *integration*, and each event that it sends a *subscription* (``apps/connect`` of 0.29).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from streamflow.errors import SourceUnavailable, UnknownRecord
from streamflow.plain_text import plain_text
from streamflow.sources.dispatcharr.session import Session

NAME = "StreamFlow"
# The route of StreamFlow that receives the events.
ROUTE = "/api/stream-checker/hooks/dispatcharr"
INTEGRATIONS = "/api/connect/integrations/"
SUBSCRIPTIONS = "/api/connect/subscriptions/"
_CHANNEL = '"channel_name": "{{ channel_name|escapejs }}"'
# Events may overtake each other. A value that is missing is an empty text.
_AT = '"at": {% now "U" %}'
_STREAM = '"stream_id": "{{ stream_id }}"'
_PLAYED = '"runtime": "{{ runtime }}", "total_bytes": "{{ total_bytes }}"'
# The payload of each event, as a Django template. Dispatcharr's own payload contains URLs with passwords.
TEMPLATES = {
    "m3u_refresh": '{"event": "m3u_refresh"}',
    "channel_failover": f'{{"event": "channel_failover", {_CHANNEL}}}',
    "channel_error": f'{{"event": "channel_error", {_CHANNEL}}}',
    "channel_start": f'{{"event": "channel_start", {_CHANNEL}, {_AT}, {_STREAM}}}',
    "channel_stop": f'{{"event": "channel_stop", {_CHANNEL}, {_AT}, {_PLAYED}}}',
    "stream_switch": f'{{"event": "stream_switch", {_CHANNEL}, {_AT}, {_STREAM}}}',
    "channel_reconnect": f'{{"event": "channel_reconnect", {_CHANNEL}, {_AT}}}',
}
_MAX_TEXT = 300


@dataclass(frozen=True)
class Webhook:
    """A webhook of Dispatcharr that sends events to StreamFlow."""

    id: int
    url: str
    enabled: bool
    events: tuple[str, ...]

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """Return the webhook of an integration.

        :raises KeyError: if the integration lacks a field.
        """
        events = sorted(str(one["event"]) for one in raw.get("subscriptions", []) if one.get("enabled", True))
        url = plain_text(str(raw["config"]["url"]))[:_MAX_TEXT]
        return cls(int(raw["id"]), url, bool(raw.get("enabled", True)), tuple(events))


class Webhooks:
    """The webhooks of one Dispatcharr. Its user must be an administrator."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def present(self) -> list[Webhook]:
        """Return the webhooks that send events to StreamFlow's route.

        :raises SourceError: if Dispatcharr cannot be read.
        """
        found = []
        for raw in self._session.records(INTEGRATIONS):
            if not isinstance(raw, dict) or raw.get("type") != "webhook" or not isinstance(raw.get("config"), dict):
                continue
            if str(raw["config"].get("url", "")).split("?")[0].rstrip("/").endswith(ROUTE):
                found.append(Webhook.from_json(raw))
        return found

    def create(self, address: str, secret: str) -> Webhook:
        """Make a webhook for every event that StreamFlow understands.

        :param address: the address at which Dispatcharr reaches Airflow's API server.
        :raises SourceError: if Dispatcharr rejects it; what was made until then is removed.
        """
        url = address.rstrip("/") + ROUTE
        config = {"url": url, "headers": {"Authorization": f"Bearer {secret}"}}
        integration = {"name": NAME, "type": "webhook", "config": config, "enabled": True}
        made = self._session.call_once("POST", INTEGRATIONS, body=integration)
        if not isinstance(made, dict) or not isinstance(made.get("id"), int):
            raise SourceUnavailable(f"POST {INTEGRATIONS}: the reply is not an integration")
        try:
            for event, template in TEMPLATES.items():
                body = {"event": event, "integration": made["id"], "enabled": True, "payload_template": template}
                self._session.call_once("POST", SUBSCRIPTIONS, body=body)
        except BaseException:
            self.remove(made["id"])
            raise
        return Webhook(made["id"], url, True, tuple(sorted(TEMPLATES)))

    def remove(self, webhook_id: int) -> None:
        """Remove a webhook with its subscriptions; one that is gone already is no error.

        :raises SourceError: if Dispatcharr rejects it.
        """
        try:
            self._session.call("DELETE", f"{INTEGRATIONS}{webhook_id}/")
        except UnknownRecord:
            return

    def test(self, webhook_id: int) -> str | None:
        """Let Dispatcharr send a test event, and return the problem; None when StreamFlow accepted the event.

        :raises UnknownRecord: if this version of Dispatcharr sends no test events.
        :raises SourceError: if Dispatcharr cannot be reached.
        """
        reply = self._session.call_once("POST", f"{INTEGRATIONS}{webhook_id}/test/", statuses={502})
        result = reply.get("result") if isinstance(reply, dict) else None
        if isinstance(result, dict) and result.get("success"):
            return None
        match result.get("status_code") if isinstance(result, dict) else None:
            case None:
                error = str(reply.get("error")) if isinstance(reply, dict) else "no reason"
                return f"Dispatcharr cannot reach StreamFlow: {plain_text(error)[:_MAX_TEXT]}"
            case 401 | 429:
                return "StreamFlow rejected the secret: its API server has another STREAMFLOW_WEBHOOK_SECRET"
            case 404:
                return (
                    "StreamFlow has no such route: set STREAMFLOW_WEBHOOK_SECRET for its API server, and check the "
                    "address"
                )
            case status:
                return f"the address replied {status}: is it the address of Airflow's API server?"
