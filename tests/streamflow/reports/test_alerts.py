"""The alerts that a finished run raises."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamflow.records import ChannelChange
from streamflow.reports.alerts import alerts
from streamflow.udi.ports import Store
from support.alerting import run_after_a_night, settle
from support.library import NOW


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return run_after_a_night(tmp_path)


def raised(store: Store) -> dict[str, list[str]]:
    state = store.runs.state("r")
    assert state
    return {alert.kind: [one.name for one in alert.subjects] for alert in alerts(store, state)}


def test_a_newly_dead_stream_raises_an_alert_and_a_dead_one_does_not(store: Store) -> None:
    settle(store, s1=("ok", None), s2=("dead", "http_404"), s5=("dead", "http_404"), s6=("ok", None))
    assert raised(store) == {"streams_dead": ["stream 2"]}


def test_a_channel_whose_last_stream_died_is_dark(store: Store) -> None:
    settle(store, s3=("dead", "no_data"), s4=("dead", "no_data"))
    assert raised(store) == {"streams_dead": ["stream 3", "stream 4"], "channel_dark": ["channel 2"]}


def test_an_undecided_stream_keeps_its_channel_lit(store: Store) -> None:
    settle(store, s3=("dead", "no_data"), s4=("unknown", "slot_timeout"))
    assert raised(store) == {"streams_dead": ["stream 3"]}


def test_refused_and_lost_checks_are_counted_by_account(store: Store) -> None:
    busy, lost = ("unknown", "provider_busy"), ("unknown", "internal_error")
    settle(store, s1=busy, s2=busy, s5=busy, s6=lost)
    assert raised(store) == {"account_over_limit": ["one (2)", "two (1)"], "checks_lost": ["two (1)"]}


def test_a_run_without_news_raises_nothing(store: Store) -> None:
    settle(store, s1=("ok", None), s5=("dead", "http_404"))
    assert raised(store) == {}


def test_a_channel_that_keeps_too_many_dead_streams_is_named(store: Store) -> None:
    change = ChannelChange(channel_id=2, run_id="r", at=NOW, before=(3, 4), after=(3, 4), held=(4, 3))
    store.runs.finish_channel(change)
    assert raised(store) == {"approval_needed": ["channel 2"]}
    store.runs.finish_channel(change.model_copy(update={"held": (), "after": (3,)}))
    assert raised(store) == {}
