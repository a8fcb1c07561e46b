"""Limits on calls at the same time, on open connections and on failed attempts."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from stream_checker.http import problems
from stream_checker.http.problems import Problem
from stream_checker.http.throttle import FailureLimit, Seats, at_most


def test_calls_above_the_limit_are_refused_until_one_ends() -> None:
    app = FastAPI()
    problems.install(app)
    started, leave = threading.Event(), threading.Event()

    @app.get("/", dependencies=[at_most(1)])
    def slow() -> None:
        started.set()
        assert leave.wait(10)

    with TestClient(app) as client, ThreadPoolExecutor() as pool:
        first = pool.submit(client.get, "/")
        assert started.wait(10)
        refused = client.get("/")
        leave.set()
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.headers["content-type"] == "application/problem+json"
        assert first.result().status_code == 200
        assert client.get("/").status_code == 200


def test_a_user_with_all_its_seats_takes_none_from_others() -> None:
    seats = Seats(total=3, per_user=2)
    give_back = seats.take("a")
    seats.take("a")
    with pytest.raises(Problem) as refused:
        seats.take("a")
    assert refused.value.status_code == 429
    seats.take("b")
    with pytest.raises(Problem) as full:
        seats.take("c")
    assert full.value.status_code == 503
    give_back()
    seats.take("c")


def test_failures_are_limited_in_a_sliding_window() -> None:
    limit = FailureLimit(2, seconds=0.2)
    assert limit.record() == limit.record() == 0
    assert 0 < limit.record() <= 0.2
    time.sleep(0.21)
    assert limit.record() == 0
