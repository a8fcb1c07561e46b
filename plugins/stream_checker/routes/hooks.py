"""``/hooks/dispatcharr``: Dispatcharr's webhooks."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from fastapi import APIRouter, BackgroundTasks, Depends, Header
from pydantic import BaseModel, Field

from stream_checker.hooks import playbacks
from stream_checker.hooks.message import WebhookMessage
from stream_checker.http.forms import FormRoute
from stream_checker.http.problems import responses
from stream_checker.http.shared_secret import SharedSecret
from stream_checker.resources import OpenDebouncedRuns, OpenNameIndex, OpenRedis, OpenStore
from stream_tasks.limits import count_viewers
from streamflow import config
from streamflow.planning import playback

SECRET_VARIABLE = "STREAMFLOW_WEBHOOK_SECRET"  # noqa: S105
REFRESH_EVENTS = {"m3u_refresh"}
FAILURE_EVENTS = {"channel_failover", "channel_error"}
VIEWER_EVENTS = {"channel_start", "channel_stop"}

_secret = SharedSecret(SECRET_VARIABLE, "Webhooks are", "The webhook's secret")


def require_secret(
    authorization: Annotated[str | None, Header(description="`Bearer` and the webhook's secret")] = None,
    x_streamflow_secret: Annotated[
        str | None, Header(description="The webhook's secret, instead of `Authorization`")
    ] = None,
) -> None:
    """Let requests with the webhook's secret pass; see :meth:`SharedSecret.require`."""
    _secret.require(x_streamflow_secret or (authorization or "").removeprefix("Bearer "))


# Dispatcharr sends the test of a webhook as a form.
router = APIRouter(prefix="/hooks", tags=["hooks"], dependencies=[Depends(require_secret)], route_class=FormRoute)


class Accepted(BaseModel):
    """The response to a webhook."""

    does: Literal["refresh", "check", "viewers", "evidence", "nothing"] = Field(
        description="Action that follows: a refresh of the UDI, a check of the channel, a new count of the viewers, "
        "evidence about the stream that plays, or none"
    )


@router.post("/dispatcharr", status_code=202, responses=responses(401, 404, 413, 422, 429, 503))
def receive_webhook(
    message: WebhookMessage,
    tasks: BackgroundTasks,
    runs: OpenDebouncedRuns,
    store: OpenStore,
    name_index: OpenNameIndex,
    redis: OpenRedis,
) -> Accepted:
    """Act on an event in Dispatcharr: refresh the UDI, check the channel, or count the viewers.

    The events of a watched channel are evidence about its streams, too.

    A repeated message has no further effect. A channel is checked at most once in five minutes (a setting).
    """
    if message.event in REFRESH_EVENTS:
        runs.refresh()
        return Accepted(does="refresh")
    if message.event in FAILURE_EVENTS:
        channel_ids = message.channel_ids(store, name_index)
        return Accepted(does="check" if runs.check_channels(channel_ids) else "nothing")
    if message.event in playback.EVENTS:
        ids, kind = message.channel_ids(store, name_index), cast("playback.Kind", message.event)
        tasks.add_task(lambda: playbacks.observe(redis, store, ids, kind, message))
    if message.event in VIEWER_EVENTS:
        # After the response, because Dispatcharr may serve no request while it waits for the response.
        tasks.add_task(lambda: count_viewers(redis, store, config.load()))
        return Accepted(does="viewers")
    if message.event in playback.EVENTS:
        return Accepted(does="evidence")
    return Accepted(does="nothing")
