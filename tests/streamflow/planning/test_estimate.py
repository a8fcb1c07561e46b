"""Estimates from stored results: by account, with limits, policies and windows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamflow.config import Config
from streamflow.planning.estimate import HANDOVER_SECONDS, RUN_SECONDS, Estimate, estimate
from streamflow.planning.params import CheckParams
from streamflow.planning.plan import Request
from streamflow.records import Account, DeadMemory
from streamflow.udi.ports import Store
from support.library import NOW, result, stored, stream

NORTH = Account(id=1, name="North", max_streams=1, budget="north")
SOUTH = Account(id=2, name="South", max_streams=4, budget="south")
CHANNELS = {channel: (channel * 10, channel * 10 + 1) for channel in range(1, 11)}
NO_STAGGER: dict[str, Any] = {"concurrent_streams": {"stagger_delay": 0}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Ten streams of each account; those of North took 6 s, those of South are not measured."""
    streams = [stream(channel * 10 + place, place + 1) for channel in CHANNELS for place in (0, 1)]
    store = stored(tmp_path, CHANNELS, accounts=[NORTH, SOUTH], streams=streams)
    for channel in CHANNELS:
        store.runs.settle("no run", result(channel * 10, at=NOW - timedelta(days=1), elapsed_s=6.0))
    return store


def estimated(store: Store, believed: dict[str, int] | None = None, **fields: Any) -> Estimate:
    settings = Config.model_validate(NO_STAGGER | fields.pop("settings", {}))
    return estimate(store, settings, Request("estimate", CheckParams(**fields), NOW), believed or {})


def test_an_estimate_counts_the_measured_seconds_and_the_limits(store: Store) -> None:
    found = estimated(store)
    assert (found.streams, found.runs, found.decides) == (20, 1, "North")
    assert found.seconds == pytest.approx(10 * (6 + HANDOVER_SECONDS) + RUN_SECONDS)
    assert found.ends_at == NOW + timedelta(seconds=found.seconds)
    assert (found.until, found.fits) == (None, None)
    north, south = found.logins
    assert (north.accounts, north.streams, north.limit) == (["North"], 10, 1)
    # Without a measurement the configured sample counts: ten streams in three rounds of four.
    assert (south.limit, south.seconds) == (4, pytest.approx(3 * (11 + HANDOVER_SECONDS)))


def test_a_believed_limit_lengthens_the_check(store: Store) -> None:
    found = estimated(store, {"south": 1, "north": 0})
    assert found.decides == "South"
    assert found.seconds == pytest.approx(10 * (11 + HANDOVER_SECONDS) + RUN_SECONDS)


def test_the_global_limit_may_decide(store: Store) -> None:
    found = estimated(store, settings={"concurrent_streams": {"stagger_delay": 0, "global_limit": 1}})
    assert found.decides is None


def test_fresh_and_excluded_streams_and_filters_shorten_the_check(store: Store) -> None:
    assert estimated(store, account_ids=[2]).streams == 10
    excluded = {"policies": [{"match": {"channels": ["channel 1"]}, "check": False}]}
    assert estimated(store, settings=excluded).streams == 18
    store.runs.settle("no run", result(10, at=NOW))
    assert estimated(store).streams == 19
    assert estimated(store, force=True).streams == 20
    assert estimated(store, channel_ids=[]) == Estimate(
        streams=0, runs=0, seconds=0, ends_at=NOW, until=None, fits=None, decides=None, logins=[]
    )


def test_dead_streams_have_a_time_of_their_own_with_all_their_tries(store: Store) -> None:
    tries = [{"elapsed_s": 1.0}, {"elapsed_s": 1.0}]
    for channel in list(CHANNELS)[:5]:
        store.runs.settle(
            "r", result(channel * 10, "dead", at=NOW - timedelta(hours=22), elapsed_s=1, extra={"tries": tries})
        )
    slots = 5 * (2 + HANDOVER_SECONDS) + 5 * (6 + HANDOVER_SECONDS)
    # The last check is one of a stream that works, so that no pause between tries lengthens the run.
    assert estimated(store).seconds == pytest.approx(slots + RUN_SECONDS)


def test_the_pauses_of_the_last_dead_stream_lengthen_the_check(store: Store) -> None:
    tries = [{"elapsed_s": 1.0}] * 3
    store.runs.settle("r", result(20, "dead", at=NOW - timedelta(hours=22), elapsed_s=1, extra={"tries": tries}))
    found = estimated(store, stream_ids=[20])
    assert found.seconds == pytest.approx(3 + HANDOVER_SECONDS + 2 * 10 + RUN_SECONDS)
    # A long-dead stream is tried once.
    store.results.remember_dead({20: DeadMemory(failures=2)})
    assert estimated(store, stream_ids=[20], force=True).seconds == pytest.approx(3 + HANDOVER_SECONDS + RUN_SECONDS)


def test_a_chain_waits_for_the_end_of_each_run(store: Store) -> None:
    found = estimated(store, settings={"max_streams_per_run": 4})
    assert found.runs == 5
    assert found.seconds == pytest.approx(5 * (2 * (6 + HANDOVER_SECONDS) + RUN_SECONDS))


@pytest.mark.parametrize(("minutes", "fits"), [(1, False), (2, True)])
def test_an_estimate_says_whether_the_check_fits_its_window(store: Store, minutes: int, fits: bool) -> None:
    until = NOW + timedelta(minutes=minutes)
    assert estimated(store, window={"until": until}).fits is fits
