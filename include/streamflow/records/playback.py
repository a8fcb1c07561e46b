"""Playbacks: what people watched through Dispatcharr, as evidence that a stream works."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from streamflow.records.record import Record
from streamflow.records.result import Result
from streamflow.records.text import Word

# A stream that was played for this time works, so that a check of it needs no connection.
ENOUGH: Final = timedelta(minutes=10)


class Playback(Record):
    """One playback of a stream: the time from its start to its end, or to the switch to another stream.

    The figures are those that Dispatcharr measured meanwhile; None where it measured nothing.
    """

    stream_id: int = Field(description="Id of the stream in Dispatcharr")
    channel_id: int = Field(description="Id of the channel that was watched")
    url_hash: str = Field(description="SHA-256 of the stream's URL in hexadecimal digits")
    begun_at: datetime = Field(description="Start of the playback")
    ended_at: datetime = Field(description="End of the playback")
    breaks: int = Field(0, description="Number of reconnects to the stream, and of switches away from it")
    width: int | None = Field(None, description="Width of the picture in pixels")
    height: int | None = Field(None, description="Height of the picture in pixels")
    video_codec: Word | None = Field(None, description="Name of the video codec")

    def since(self, moment: datetime | None) -> timedelta:
        """Return for how long the stream was played after a moment; None stands for all the time."""
        begin = self.begun_at if moment is None else max(self.begun_at, moment)
        return max(self.ended_at - begin, timedelta())

    def agrees(self, result: Result) -> bool:
        """Return whether a check measured the same picture, as far as the playback measured it."""
        figures = ((self.width, result.width), (self.height, result.height), (self.video_codec, result.video_codec))
        return all(mine in (None, theirs) for mine, theirs in figures)

    @property
    def is_good(self) -> bool:
        """Return whether the stream was played for long enough and without a break."""
        return not self.breaks and self.since(None) >= ENOUGH

    @property
    def is_telling(self) -> bool:
        """Return whether the playback says something about the stream: it was a good one, or it broke."""
        return bool(self.breaks) or self.is_good
