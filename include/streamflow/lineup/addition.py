"""A stream for a channel."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Addition(BaseModel):
    """A stream for a channel, and the reason."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    stream_id: int = Field(description="Id of the stream in Dispatcharr")
    why: str = Field(description="Reason why the stream belongs to the channel")
