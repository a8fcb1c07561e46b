"""Results sorted, filtered and exported; what is asked for again, and what is too much at once."""

from __future__ import annotations

import csv
import io
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from stream_checker.http import problems, throttle
from streamflow.reports.csv_export import csv_parts
from streamflow.udi import Udi

from .library import SECRET

SORTS = ["id", "name", "score", "checked_at", "bitrate"]


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{sort}" for sort in SORTS[1:])])
def test_every_order_is_paged_without_gap_or_double(admin: httpx.Client, sort: str) -> None:
    whole = admin.get("/results", params={"limit": 1000, "sort": sort}).json()["results"]
    subject = {"id": "stream_id", "bitrate": "bitrate_kbps"}.get(sort.strip("-"), sort.strip("-"))
    values = [one[subject] for one in whole if one[subject] is not None]
    if subject == "name":
        values = [value.casefold() for value in values]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert all(one[subject] is not None for one in whole[: len(values)])
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
        answer = admin.get("/results", params={"sort": sort, "cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")


def test_filters_by_reason_and_group(admin: httpx.Client) -> None:
    def ids(**query: Any) -> list[int]:
        return [one["stream_id"] for one in admin.get("/results", params=query).json()["results"]]

    assert ids(reason="frozen_video") == [21]
    assert ids(reason="http_404", status="dead") == [2]
    assert ids(reason="http_404", status="ok") == []
    assert len(ids(group_id=1)) == admin.get("/results").json()["total"]
    assert ids(group_id=99) == []
    assert admin.get("/groups").json() == {"groups": [{"id": 1, "name": "News"}]}


def test_past_scores_of_many_streams_come_at_once(admin: httpx.Client) -> None:
    scores = admin.get("/results/scores", params={"stream_id": [1, 2, 999]}).json()["scores"]
    assert scores == {"1": [0.4, 0.83], "2": [0.0], "999": []}


def test_an_export_holds_what_the_filters_let_through(admin: httpx.Client) -> None:
    answer = admin.get("/results/export", params={"account_id": 2, "sort": "-score"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="results.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    shown = admin.get("/results", params={"account_id": 2, "sort": "-score"}).json()["results"]
    assert [int(row["stream_id"]) for row in rows] == [one["stream_id"] for one in shown]
    assert (rows[0]["name"], rows[0]["account"], rows[0]["audio"]) == ("Channel 8 UHD", "Provider B", "aac 2 eng")
    listed = admin.get("/results/export", params={"format": "json", "account_id": 2, "sort": "-score"}).json()
    assert [one["stream_id"] for one in listed] == [one["stream_id"] for one in shown]
    assert admin.get("/results/export", params={"format": "json", "group_id": 99}).json() == []
    assert admin.get("/results/export", params={"group_id": 99}).text.startswith("name,account,stream_id,")
    assert SECRET not in answer.text


def test_a_name_is_no_formula_to_a_spreadsheet() -> None:
    assert "".join(csv_parts(["name"], [[{"name": "=HYPERLINK(1)"}, {"name": "ARD"}]])) == (
        "name\r\n'=HYPERLINK(1)\r\nARD\r\n"
    )


def test_what_has_not_changed_is_not_sent_again(admin: httpx.Client, udi: Udi) -> None:
    for path in ("/concurrency/status", "/results", "/probes", "/streams/4"):
        first = admin.get(path)
        assert first.headers["cache-control"] == "private, no-cache"
        again = admin.get(path, headers={"If-None-Match": f'W/"x", {first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert admin.get(path, headers={"If-None-Match": '"x"'}).json() == first.json()
    before = admin.get("/probes")
    udi.progress.publish(4, {"seconds": 9.9, "bytes": 1, "bitrate_kbps": 1, "first_frame_ms": 1, "phase": "sampling"})
    assert admin.get("/probes", headers={"If-None-Match": before.headers["etag"]}).status_code == 200


def test_more_calls_at_once_than_the_bound_are_sent_away() -> None:
    app = FastAPI()
    problems.install(app)
    inside, leave = [], []

    @app.get("/", dependencies=[throttle.at_once(1)])
    def slow() -> None:
        inside.append(1)
        while not leave:
            time.sleep(0.01)

    with TestClient(app) as client, ThreadPoolExecutor() as pool:
        first = pool.submit(client.get, "/")
        while not inside:
            time.sleep(0.01)
        refused = client.get("/")
        leave.append(1)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.headers["content-type"] == "application/problem+json"
        assert first.result().status_code == 200
        assert client.get("/").status_code == 200
