"""``/results``: the latest result of each stream, filtered by indexes, sorted, paged and exported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from stream_checker.http import cursors
from stream_checker.http.access import Reader
from stream_checker.http.problems import responses
from stream_checker.http.throttle import at_once
from stream_checker.queries.selection import Selection
from stream_checker.queries.stream_names import NamedResult, named
from stream_checker.resources import Udi
from streamflow.records import AudioTrack, Result
from streamflow.reports.csv_export import csv_parts

router = APIRouter(prefix="/results", tags=["results"], dependencies=[Reader])

EXPORTED_AT_ONCE = 500
Selected = Annotated[Selection, Depends(Selection)]


class ResultPage(BaseModel):
    """``total`` counts what the filters let through; ``next_cursor`` is null on the last page."""

    results: list[NamedResult]
    total: int
    next_cursor: str | None


class Scores(BaseModel):
    """Each stream's past scores, oldest first; null where a check decided nothing."""

    scores: dict[int, list[float | None]]


@router.get("", responses=responses(401, 403, 422, 429, 503), dependencies=[at_once(8)])
def results(
    store: Udi,
    selected: Selected,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[
        str | None, Query(max_length=cursors.MAX_LENGTH, description="`next_cursor` of the page before")
    ] = None,
) -> ResultPage:
    """Latest results. What they are sorted by and their reasons are at most a few seconds old."""
    chosen, order = selected.ids(), selected.order
    ids, following = cursors.page(
        chosen, cursor, limit, order=order.value, place=selected.place(), falling=order.falling
    )
    return ResultPage(results=named(store, ids), total=len(chosen), next_cursor=following)


@router.get("/scores", responses=responses(401, 403, 422, 429, 503), dependencies=[at_once(4)])
def scores(
    store: Udi,
    stream_id: Annotated[list[int], Query(min_length=1, max_length=100, examples=[[1, 2]])],
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> Scores:
    """The last scores of some streams, for the small lines beside them."""
    return Scores(
        scores={id: [past.score for past in reversed(store.results.history(id, limit))] for id in set(stream_id)}
    )


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
    dependencies=[at_once(2)],
)
def export(store: Udi, selected: Selected, format: Literal["csv", "json"] = "csv") -> StreamingResponse:
    """All results that the filters let through, as a file."""
    ids = sorted(selected.ids(), key=selected.place(), reverse=selected.order.falling)
    parts = (
        [result.model_dump(mode="json", exclude={"extra"}) for result in named(store, ids[at : at + EXPORTED_AT_ONCE])]
        for at in range(0, len(ids), EXPORTED_AT_ONCE)
    )
    columns = ["name", "account", *(field for field in Result.model_fields if field != "extra")]
    told = _json(parts) if format == "json" else csv_parts(columns, ([_flat(row) for row in rows] for rows in parts))
    return StreamingResponse(
        told,
        media_type="application/json" if format == "json" else "text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="results.{format}"'},
    )


def _json(parts: Iterable[Sequence[dict[str, Any]]]) -> Iterator[str]:
    lead = "["
    for rows in parts:
        yield lead + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        lead = ",\n"
    yield "[]" if lead == "[" else "]"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    tracks = (AudioTrack.model_validate(track) for track in row["audio"])
    told = (" ".join(str(part) for part in (one.codec, one.channels, one.language) if part) for one in tracks)
    return row | {"audio": ", ".join(told)}
