"""``/hooks/dispatcharr``: what Dispatcharr tells of by webhook."""

from __future__ import annotations

import hmac
import logging
import os
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, Header
from pydantic import BaseModel, ConfigDict, Field
from redis import Redis

from stream_checker.http.problems import Problem, responses
from stream_checker.queries.name_index import NameIndex
from stream_checker.resources import OpenDebouncedRuns, OpenNameIndex, OpenRedis, Udi
from stream_tasks.limits import refresh_viewers
from streamflow import config
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

SECRET = "STREAMFLOW_WEBHOOK_SECRET"  # noqa: S105
REFRESHES = {"m3u_refresh"}
FAILURES = {"channel_failover", "channel_error"}
VIEWERS = {"channel_start", "channel_stop"}


def secret(
    authorization: Annotated[str | None, Header(description="`Bearer` and the secret")] = None,
    x_streamflow_secret: Annotated[str | None, Header(description="The secret, instead")] = None,
) -> None:
    """Whoever knows the webhook's own secret; without one there is no such route."""
    known = os.environ.get(SECRET)
    if not known:
        raise Problem(404, f"webhooks are off: set {SECRET}")
    given = x_streamflow_secret or (authorization or "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), known.encode()):
        raise Problem(401, "not the webhook's secret", headers={"WWW-Authenticate": "Bearer"})


router = APIRouter(prefix="/hooks", tags=["hooks"], dependencies=[Depends(secret)])


class Happened(BaseModel):
    """An event. Its channel is named by any of its id, its UUID or its name, here or in ``payload``.

    Dispatcharr's payload holds stream URLs too, which are neither kept nor logged.
    """

    model_config = ConfigDict(extra="ignore")

    event: str = Field(min_length=1, max_length=100, examples=["channel_error"])
    channel_id: int | str | None = None
    channel_name: str | None = Field(default=None, max_length=1000, examples=["Das Erste"])
    payload: dict[str, Any] = Field(default_factory=dict)

    def channels(self, store: Store, names: NameIndex) -> list[int]:
        """The UDI's channels that it is about."""
        id = self.channel_id or self.payload.get("channel_id")
        if id is not None and str(id).isdecimal():
            return [channel.id for channel in store.library.channels([int(id)])]
        found = names.channels_of_uuid(store, str(id)) if id else []
        name = self.channel_name or self.payload.get("channel_name")
        return found or (names.channels_named(store, str(name)) if name else [])


class Accepted(BaseModel):
    does: Literal["refresh", "check", "viewers", "nothing"]


@router.post("/dispatcharr", status_code=202, responses=responses(401, 404, 422, 503))
def dispatcharr(
    happened: Happened,
    tasks: BackgroundTasks,
    bursts: OpenDebouncedRuns,
    store: Udi,
    names: OpenNameIndex,
    redis: OpenRedis,
) -> Accepted:
    """Act on an event soon: refresh, check its channel, or ask for the viewers. One told twice changes nothing."""
    if happened.event in REFRESHES:
        bursts.refresh()
        return Accepted(does="refresh")
    if happened.event in FAILURES and (channels := happened.channels(store, names)):
        bursts.check_channels(channels)
        return Accepted(does="check")
    if happened.event in VIEWERS:
        # Dispatcharr is asked, which may be waiting for this very answer.
        tasks.add_task(viewers, redis, store)
        return Accepted(does="viewers")
    return Accepted(does="nothing")


def viewers(redis: Redis, store: Store) -> None:
    refresh_viewers(redis, store, config.load())
