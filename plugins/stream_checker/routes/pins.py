"""``/pins``: the places of many streams at once."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from stream_checker.http.access import EditingUser, Reader
from stream_checker.http.parameters import MAX_ID, MAX_SELECTED
from stream_checker.http.problems import responses
from stream_checker.resources import OpenLimiter, OpenRedis, OpenStore
from stream_checker.routes import stored_settings
from streamflow.config import Config
from streamflow.policies.pins import with_pin

router = APIRouter(prefix="/pins", tags=["channels"], dependencies=[Reader])

_Ids = Annotated[list[Annotated[int, Field(ge=0, le=MAX_ID)]], Field(max_length=MAX_SELECTED)]


class SelectedPins(BaseModel):
    """Streams to pin to their places, or to release."""

    streams: _Ids = Field([], description="Ids of streams, in every channel that holds them", examples=[[12, 13]])
    channels: _Ids = Field([], description="Ids of channels, with all of their streams", examples=[[1]])
    pinned: bool = Field(description="Whether the streams keep their places from now on")


class PinnedPlaces(BaseModel):
    """The places that were pinned or released."""

    places: int = Field(description="Number of places of streams in channels")
    channels: int = Field(description="Number of these channels")


@router.post("", responses=responses(401, 403, 413, 422, 503))
def change_pins(
    selected: SelectedPins, store: OpenStore, redis: OpenRedis, limiter: OpenLimiter, user: EditingUser
) -> PinnedPlaces:
    """Pin streams to their places, or release them. Streams without a channel, and unknown ids, have no place."""
    holding = [id for stream in selected.streams for id in store.library.channels_of_stream(stream)]
    streams, whole = set(selected.streams), set(selected.channels)
    channels = store.library.channels({*selected.channels, *holding})
    places = [(one, id) for one in channels for id in one.stream_ids if one.id in whole or id in streams]

    def make(settings: Config) -> list[dict[str, Any]]:
        policies = settings.policies
        for channel, stream in places:
            policies = with_pin(policies, channel, stream, pinned=selected.pinned)
        return [policy.model_dump(mode="json") for policy in policies]

    if places:
        stored_settings.change(redis, "policies", make, limiter, user)
    return PinnedPlaces(places=len(places), channels=len({channel.id for channel, _ in places}))
