"""Results: sorted, filtered, paged, exported and revalidated by ETag."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import httpx
import pytest

from stream_checker.queries.result_index import MAX_AGE_SECONDS
from streamflow.udi import Udi

from ..library import SECRET

SORTS = ["id", "name", "score", "checked_at", "bitrate", "quality"]


@pytest.fixture(autouse=True, scope="module")
def fresh_index() -> None:
    """Let the index, which orders results, forget what the tests before stored."""
    time.sleep(MAX_AGE_SECONDS)


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{sort}" for sort in SORTS[1:])])
def test_every_order_is_paged_without_gaps_and_duplicates(admin: httpx.Client, sort: str) -> None:
    whole = admin.get("/results", params={"limit": 1000, "sort": sort}).json()["results"]
    field = {"id": "stream_id", "bitrate": "bitrate_kbps"}.get(sort.strip("-"), sort.strip("-"))
    values = [one[field] for one in whole if one[field] is not None]
    if field == "name":
        values = [value.casefold() for value in values]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert all(one[field] is not None for one in whole[: len(values)])
    paged: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"limit": 5, "sort": sort} | ({"cursor": cursor} if cursor else {})
        page = admin.get("/results", params=query).raise_for_status().json()
        paged += page["results"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert paged == whole


def test_a_cursor_of_another_order_is_refused(admin: httpx.Client) -> None:
    cursor = admin.get("/results", params={"limit": 1, "sort": "name"}).json()["next_cursor"]
    for sort in ("score", "-name", "id"):
        response = admin.get("/results", params={"sort": sort, "cursor": cursor})
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "cursor")


def test_filters_by_reason_and_group(admin: httpx.Client) -> None:
    def ids(**query: Any) -> list[int]:
        return [one["stream_id"] for one in admin.get("/results", params=query).json()["results"]]

    assert ids(reason="frozen_video") == [21]
    assert ids(reason="http_404", status="dead") == [2]
    assert ids(reason="http_404", status="ok") == []
    assert len(ids(group_id=1)) == admin.get("/results").json()["total"]
    assert ids(group_id=99) == []
    assert admin.get("/groups").json() == {"groups": [{"id": 1, "name": "News"}]}


def test_past_scores_of_many_streams_come_in_one_response(admin: httpx.Client) -> None:
    scores = admin.get("/results/scores", params={"stream_id": [1, 2, 999]}).json()["scores"]
    assert scores == {"1": [0.4, 0.83], "2": [0.0], "999": []}


def test_an_export_holds_the_results_that_match_the_filters(admin: httpx.Client) -> None:
    response = admin.get("/results/export", params={"account_id": 2, "sort": "-score"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="results.csv"'
    rows = list(csv.DictReader(io.StringIO(response.text)))
    shown = admin.get("/results", params={"account_id": 2, "sort": "-score"}).json()["results"]
    assert [int(row["stream_id"]) for row in rows] == [one["stream_id"] for one in shown]
    assert (rows[0]["name"], rows[0]["account"], rows[0]["audio"]) == ("Channel 8 UHD", "Provider B", "aac 2 eng")
    listed = admin.get("/results/export", params={"format": "json", "account_id": 2, "sort": "-score"}).json()
    assert [one["stream_id"] for one in listed] == [one["stream_id"] for one in shown]
    assert admin.get("/results/export", params={"format": "json", "group_id": 99}).json() == []
    assert admin.get("/results/export", params={"group_id": 99}).text.startswith('"name","account","stream_id",')
    assert SECRET not in response.text


def test_an_unchanged_response_is_a_304(admin: httpx.Client, udi: Udi) -> None:
    for path in ("/concurrency/status", "/results", "/probes", "/streams/4"):
        first = admin.get(path)
        assert first.headers["cache-control"] == "private, no-cache"
        again = admin.get(path, headers={"If-None-Match": f'W/"x", {first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert admin.get(path, headers={"If-None-Match": '"x"'}).json() == first.json()
    before = admin.get("/probes")
    udi.progress.publish(4, {"seconds": 9.9, "bytes": 1, "bitrate_kbps": 1, "first_frame_ms": 1, "phase": "sampling"})
    assert admin.get("/probes", headers={"If-None-Match": before.headers["etag"]}).status_code == 200


def test_a_selection_of_streams_and_of_channels_is_exported(admin: httpx.Client) -> None:
    def exported(**query: Any) -> list[int]:
        return sorted(
            one["stream_id"] for one in admin.get("/results/export", params=query | {"format": "json"}).json()
        )

    assert exported(stream_id=[7, 9, 999]) == [7, 9]
    assert exported(channel_id=[1, 2]) == [1, 2, 3]
    assert exported(channel_id=[1], stream_id=[3, 7]) == [3]
    assert admin.get("/results/export", params={"stream_id": [1] * 501}).status_code == 422


def test_a_playlist_of_a_selection_needs_dispatcharrs_proxy(admin: httpx.Client) -> None:
    response = admin.get("/proxy/playlist.m3u", params={"stream_id": [1]})
    assert response.status_code == 409
    assert "only Dispatcharr has a proxy" in response.json()["detail"]
    for one in ({"stream_id": 1}, {"channel_id": 1}):
        assert admin.get("/proxy/address", params=one).status_code == 409
    for wrong in ({}, {"stream_id": 1, "channel_id": 1}):
        assert admin.get("/proxy/address", params=wrong).status_code == 422
