"""The marks of a chain's logins: those in Redis, and those in memory that other tests use, behave alike."""

from __future__ import annotations

import pytest
from redis import Redis

from streamflow.checking.marks import PROBE_SECONDS, RedisMarks
from streamflow.checking.outages import Marks
from support.library import result
from support.memory_marks import MemoryMarks


@pytest.fixture(params=["redis", "memory"])
def marks(request: pytest.FixtureRequest, redis_client: Redis) -> Marks:
    return RedisMarks(redis_client, "chain") if request.param == "redis" else MemoryMarks()


def test_a_mark_lasts_until_it_is_cleared(marks: Marks) -> None:
    marks.mark("north", "")
    marks.mark("south", "it is down")
    assert marks.causes() == {"north": "", "south": "it is down"}
    marks.clear("south")
    assert marks.causes() == {"north": ""}


def test_one_try_a_minute_may_probe_behind_an_open_circuit(marks: Marks) -> None:
    marks.mark("north", "it is down", is_tried_again=True)
    assert [marks.claim_probe("north", claimant) for claimant in ("1:0", "2:0", "1:0")] == [True, False, True]
    marks.mark("south", "it is down")
    assert not marks.claim_probe("south", "1:0")


def test_the_next_try_may_probe_after_a_minute(redis_client: Redis) -> None:
    marks = RedisMarks(redis_client, "chain")
    marks.mark("north", "it is down")
    assert PROBE_SECONDS == 60
    assert 50_000 < redis_client.pttl(marks._probe_key("north")) <= 60_000
    redis_client.pexpire(marks._probe_key("north"), 1)
    while redis_client.exists(marks._probe_key("north")):
        pass
    assert marks.claim_probe("north", "2:0")


def test_the_last_failed_try_of_each_stream_is_evidence(marks: Marks) -> None:
    for stream_id, second in ((1, "no_data"), (2, "no_data"), (1, "http_5xx")):
        marks.suspect("north", result(stream_id, "dead", reason=second))
    assert sorted((one.stream_id, one.reason) for one in marks.suspects("north")) == [(1, "http_5xx"), (2, "no_data")]
    assert not marks.suspects("south")


def test_without_redis_nothing_is_marked_and_every_try_may_probe() -> None:
    marks = RedisMarks(Redis(port=1, socket_connect_timeout=0.1), "chain")
    marks.mark("north", "it is down")
    marks.suspect("north", result(1, "dead"))
    assert (marks.causes(), list(marks.suspects("north")), marks.claim_probe("north", "1:0")) == ({}, [], True)
