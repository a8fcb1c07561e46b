"""Path and query parameters that several routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import Field

from stream_checker.http import cursors

# The largest id that a database holds.
MAX_ID = 2**63 - 1

StreamId = Annotated[int, Path(ge=0, le=MAX_ID, description="Id of the stream in Dispatcharr", examples=[12])]
ChannelId = Annotated[int, Path(ge=0, le=MAX_ID, description="Id of the channel in Dispatcharr", examples=[1])]
# Airflow's tables hold run ids of at most 250 characters.
RunId = Annotated[
    str, Path(max_length=250, description="Id of the run in Airflow", examples=["manual__2026-01-02T03:04:05+00:00"])
]
AccountFilter = Annotated[int | None, Query(ge=0, le=MAX_ID, description="Only streams of this account")]
GroupFilter = Annotated[int | None, Query(ge=0, le=MAX_ID, description="Only members of this group")]
# A URL with this number of ids has about 10 KB, and servers accept 64 KB.
MAX_SELECTED = 500
_Ids = list[Annotated[int, Field(ge=0, le=MAX_ID)]]
ChannelsFilter = Annotated[
    _Ids | None, Query(max_length=MAX_SELECTED, description="Only streams of these channels", examples=[[1, 2]])
]
StreamsFilter = Annotated[
    _Ids | None, Query(max_length=MAX_SELECTED, description="Only these streams", examples=[[12, 13]])
]
NameFilter = Annotated[str | None, Query(max_length=200, description="Only names that contain this text")]
Cursor = Annotated[
    str | None,
    Query(max_length=cursors.MAX_LENGTH, description="`next_cursor` of the page before; omit it for the first page"),
]
PageLimit = Annotated[int, Query(ge=1, le=1000, description="Number of items on the page")]
