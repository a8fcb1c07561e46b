"""``/results``: the latest result of each stream, filtered, sorted, paged and exported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from stream_checker.http import cursors
from stream_checker.http.access import Reader
from stream_checker.http.parameters import (
    MAX_ID,
    AccountFilter,
    ChannelsFilter,
    Cursor,
    GroupFilter,
    NameFilter,
    PageLimit,
    StreamsFilter,
)
from stream_checker.http.problems import responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.selection import Filters, Order, Selection
from stream_checker.queries.stream_names import NamedResult, latest_results
from stream_checker.resources import OpenNameIndex, OpenResultIndex, OpenStore
from streamflow.records import AudioTrack, Result, Verdict
from streamflow.reports.csv_export import csv_parts

router = APIRouter(prefix="/results", tags=["results"], dependencies=[Reader])

EXPORT_BATCH = 500


class ResultPage(BaseModel):
    """One page of results."""

    results: list[NamedResult] = Field(description="Latest results in the requested order")
    total: int = Field(description="Number of results that match the filters")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last")


class Scores(BaseModel):
    """The past scores of some streams."""

    scores: dict[int, list[float | None]] = Field(
        description="Scores by stream id, oldest first; null where a check reached no verdict",
        examples=[{"1": [0.4, 0.83]}],
    )


def selection(
    store: OpenStore,
    name_index: OpenNameIndex,
    result_index: OpenResultIndex,
    channel_id: ChannelsFilter = None,
    account_id: AccountFilter = None,
    group_id: GroupFilter = None,
    status: Annotated[Verdict | None, Query(description="Only results with this verdict")] = None,
    reason: Annotated[
        str | None, Query(max_length=60, description="Only results with this reason", examples=["http_404"])
    ] = None,
    q: NameFilter = None,
    stream_id: StreamsFilter = None,
    sort: Annotated[
        Order, Query(description="Order of the results; `-` is descending; results without a value come last")
    ] = Order.ID,
) -> Selection:
    """Return the selection that the query describes."""
    filters = Filters(
        None if channel_id is None else tuple(channel_id),
        account_id,
        group_id,
        status,
        reason,
        q,
        None if stream_id is None else tuple(stream_id),
    )
    return Selection(store, name_index, result_index, filters, sort)


Selected = Annotated[Selection, Depends(selection)]


@router.get("", responses=responses(401, 403, 422, 429, 503), dependencies=[at_most(8)])
def list_results(store: OpenStore, selected: Selected, limit: PageLimit = 100, cursor: Cursor = None) -> ResultPage:
    """Return one page of latest results. Order and reasons are at most a few seconds old."""
    matching_ids, order = selected.ids(), selected.order
    ids, next_cursor = cursors.page(
        matching_ids, cursor, limit, order=order.value, key=selected.key(), descending=order.descending
    )
    return ResultPage(results=latest_results(store, ids), total=len(matching_ids), next_cursor=next_cursor)


@router.get("/scores", responses=responses(401, 403, 422, 429, 503), dependencies=[at_most(4)])
def list_scores(
    store: OpenStore,
    stream_id: Annotated[
        list[Annotated[int, Field(ge=0, le=MAX_ID)]],
        Query(min_length=1, max_length=100, description="Ids of the streams", examples=[[1, 2]]),
    ],
    limit: Annotated[int, Query(ge=1, le=50, description="Number of scores a stream")] = 20,
) -> Scores:
    """Return the last scores of some streams, for small charts."""
    histories = store.results.histories(set(stream_id), limit)
    return Scores(scores={id: [past.score for past in reversed(histories.get(id, []))] for id in set(stream_id)})


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            }
        },
        **responses(401, 403, 422, 429, 503),
    },
    dependencies=[at_most(2)],
)
def export_results(
    store: OpenStore,
    selected: Selected,
    format: Annotated[Literal["csv", "json"], Query(description="Format of the file")] = "csv",
) -> StreamingResponse:
    """Return all results that match the filters as a file."""
    ids = sorted(selected.ids(), key=selected.key(), reverse=selected.order.descending)
    batches = (
        [
            result.model_dump(mode="json", exclude={"extra"})
            for result in latest_results(store, ids[start : start + EXPORT_BATCH])
        ]
        for start in range(0, len(ids), EXPORT_BATCH)
    )
    columns = ["name", "account", *(field for field in Result.model_fields if field != "extra")]
    content = (
        _json_parts(batches)
        if format == "json"
        else csv_parts(columns, ([_flat(row) for row in rows] for rows in batches))
    )
    return StreamingResponse(
        content,
        media_type="application/json" if format == "json" else "text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="results.{format}"'},
    )


def _json_parts(batches: Iterable[Sequence[dict[str, Any]]]) -> Iterator[str]:
    lead = "["
    for rows in batches:
        yield lead + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        lead = ",\n"
    yield "[]" if lead == "[" else "]"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its audio tracks as one text."""
    tracks = (AudioTrack.model_validate(track) for track in row["audio"])
    texts = (" ".join(str(part) for part in (one.codec, one.channels, one.language) if part) for one in tracks)
    return row | {"audio": ", ".join(texts)}
