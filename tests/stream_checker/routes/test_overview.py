"""The overview over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import httpx

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
    assert working() == 1
