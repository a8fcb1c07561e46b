"""The overview over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import httpx

from streamflow.records import ChannelChange, Move
from streamflow.udi import Udi

from .. import library
from ..library import RUN


def test_recent_changes_name_the_first_choice_and_the_reason(admin: httpx.Client) -> None:
    [change] = [one for one in admin.get("/overview").json()["changes"] if one["run_id"] == RUN]
    firsts = change["name"], change["first_before"], change["first_after"]
    assert firsts == ("Das Erste", "Channel 2 UHD", "Channel 1 HD")
    assert (change["why"], change["written"]) == ("best score 0.83", True)


def test_accounts_are_listed_worst_first_also_without_redis(
    admin: httpx.Client, redis_away: Callable[[], AbstractContextManager[None]]
) -> None:
    providers = admin.get("/overview").json()["providers"]
    shares = [one["working"] / one["decided"] for one in providers]
    assert shares == sorted(shares)
    assert all(one["believed_limit"] is not None for one in providers)
    with redis_away():
        away = admin.get("/overview").json()
        assert [one["believed_limit"] for one in away["providers"]] == [None, None, None]


def test_a_channel_of_streams_that_nobody_can_watch_counts_none_as_working(admin: httpx.Client, udi: Udi) -> None:
    def working() -> int:
        return int(admin.get("/channels", params={"q": "Das Erste"}).json()["channels"][0]["working"])

    assert working() == 2
    now = library.NOW + timedelta(seconds=1)
    udi.runs.settle("no run", library.result(1, verdict="degraded", reason="black_video", checked_at=now))
    udi.runs.settle("no run", library.result(3, verdict="degraded", reason="low_bitrate", checked_at=now))
    deadline = time.monotonic() + 30
    while working() != 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_reasons_name_streams_and_never_ids(admin: httpx.Client, udi: Udi) -> None:
    why = "best score 0.83, more than 0.050 above stream 2 with 0.700"
    move = Move(stream_id=1, before=1, after=0, why=why)
    at = library.NOW + timedelta(seconds=1)
    change = ChannelChange(channel_id=2, run_id=RUN, at=at, before=(2, 1), after=(1, 2), moves=(move,), stays=(move,))
    udi.runs.finish_channel(change)
    expected = "best score 0.83, more than 0.050 above “Channel 2 UHD” with 0.700"
    assert expected in [one["why"] for one in admin.get("/overview").json()["changes"]]
    last = admin.get("/channels/2").json()["last_change"]
    assert (last["moves"][0]["why"], last["stays"][0]["why"]) == (expected, expected)
    assert admin.get("/channels/2/changes").json()["changes"][0]["moves"][0]["why"] == expected
