"""The message of a webhook."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from stream_checker.http.parameters import MAX_ID
from stream_checker.queries.name_index import NameIndex
from streamflow.udi.ports import Store

MAX_TEXT = 1000
# The year 2100.
MAX_SECONDS = 4_102_444_800


def _channel_reference(value: Any) -> int | str | None:
    """Return a channel's id or UUID; digits are an id.

    :raises ValueError: when it is neither, or an id that no database holds.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, str) and len(value) > 100):
        raise ValueError("neither an id nor a UUID")
    if isinstance(value, str) and not value.isdecimal():
        return value
    if (id := int(value)) > MAX_ID:
        raise ValueError(f"an id is at most {MAX_ID}")
    return id


def _number(value: Any) -> Any:
    """Return a number of a template; None for what a template writes in place of a missing one."""
    if not isinstance(value, str):
        return value
    text = value.strip().replace(",", ".")
    return None if text in ("", "None") else text


Number = BeforeValidator(_number)
ChannelReference = Annotated[int | str | None, BeforeValidator(_channel_reference)]


class Payload(BaseModel):
    """The part of Dispatcharr's own payload that names a channel."""

    model_config = ConfigDict(extra="ignore")

    channel_id: ChannelReference = Field(default=None, description="Id or UUID of the channel")
    channel_name: str | None = Field(default=None, max_length=MAX_TEXT, description="Name of the channel")


class WebhookMessage(Payload):
    """An event in Dispatcharr.

    Id, UUID or name identify the channel, here or in ``payload``. Dispatcharr's payload also contains stream URLs,
    which are neither stored nor logged.
    """

    event: str = Field(min_length=1, max_length=100, description="Kind of the event", examples=["channel_error"])
    channel_name: str | None = Field(
        default=None, max_length=MAX_TEXT, description="Name of the channel", examples=["Das Erste"]
    )
    at: Annotated[float | None, Number] = Field(
        default=None, ge=0, le=MAX_SECONDS, description="Time at which the event was sent, in seconds since 1970"
    )
    stream_id: Annotated[int | None, Number] = Field(
        default=None, ge=0, le=MAX_ID, description="Id of the stream that plays from now on"
    )
    runtime: Annotated[float | None, Number] = Field(
        default=None, ge=0, le=MAX_SECONDS, description="Seconds for which the channel was played"
    )
    total_bytes: Annotated[int | None, Number] = Field(
        default=None, ge=0, le=MAX_ID, description="Bytes that the provider sent meanwhile"
    )
    payload: Payload = Field(default_factory=Payload, description="Dispatcharr's own payload")

    def channel_ids(self, store: Store, name_index: NameIndex) -> list[int]:
        """Return the ids of the UDI's channels that the message names; empty when there is none.

        :raises UdiUnavailable: when the UDI cannot be read.
        """
        reference = self.channel_id or self.payload.channel_id
        if isinstance(reference, int):
            return [channel.id for channel in store.library.channels([reference])]
        ids = name_index.channels_of_uuid(store, reference) if reference else []
        name = self.channel_name or self.payload.channel_name
        return ids or (name_index.channels_named(store, name) if name else [])
