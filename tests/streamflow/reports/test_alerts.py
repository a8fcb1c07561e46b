"""The alerts that a finished run raises."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import pytest

from streamflow.records import ChannelChange
from streamflow.reports.alerts import Memory, alert, alerts, of_run
from streamflow.udi.ports import Store
from support.alerting import run_after_a_night, settle
from support.library import NOW


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return run_after_a_night(tmp_path)


class Remembered:
    """A memory without Redis."""

    def __init__(self) -> None:
        self.subjects: dict[str, set[str]] = {}

    def news(self, kind: str, holding: Set[str], over: Set[str]) -> tuple[Set[str], Set[str]]:
        before = self.subjects.setdefault(kind, set())
        new, ended = holding - before, (over - holding) & before
        self.subjects[kind] = (before | new) - ended
        return new, ended


def raised(store: Store, memory: Memory | None = None) -> dict[str, list[str]]:
    state = store.runs.state("r")
    assert state
    found = alerts(of_run(store, state), memory or Remembered())
    return {alert.kind: [one.name for one in alert.subjects] for alert in found}


def test_a_newly_dead_stream_raises_an_alert_and_a_dead_one_does_not(store: Store) -> None:
    settle(store, s1=("ok", None), s2=("dead", "http_404"), s5=("dead", "http_404"), s6=("ok", None))
    assert raised(store) == {"stream_dead": ["stream 2"]}


def test_a_channel_whose_last_stream_died_is_dark(store: Store) -> None:
    settle(store, s3=("dead", "no_data"), s4=("dead", "no_data"))
    assert raised(store) == {"stream_dead": ["stream 3", "stream 4"], "channel_dark": ["channel 2"]}


def test_a_channel_whose_last_stream_is_black_is_dark(store: Store) -> None:
    settle(store, s3=("dead", "no_data"), s4=("degraded", "black_video"))
    state = store.runs.state("r")
    assert state
    kinds = {one.kind for one in alerts(of_run(store, state, unusable=["black_video"]), Remembered())}
    assert kinds == {"stream_dead", "channel_dark"}
    assert "channel_dark" not in raised(store)


def test_an_undecided_stream_keeps_its_channel_lit(store: Store) -> None:
    settle(store, s3=("dead", "no_data"), s4=("unknown", "slot_timeout"))
    assert raised(store) == {"stream_dead": ["stream 3"]}


def test_refused_and_lost_checks_are_counted_by_account(store: Store) -> None:
    busy, lost = ("unknown", "provider_busy"), ("unknown", "internal_error")
    settle(store, s1=busy, s2=busy, s5=busy, s6=lost)
    assert raised(store) == {"limit_exceeded": ["one (2)", "two (1)"], "workers_down": ["two (1)"]}


def test_accounts_above_their_limit_are_named_with_the_excess(store: Store) -> None:
    settle(store, s1=("unknown", "provider_busy"), s5=("unknown", "provider_busy"))
    state = store.runs.state("r")
    assert state
    (alert,) = alerts(of_run(store, state, {1: 2}), Remembered())
    assert (alert.kind, [one.name for one in alert.subjects]) == (
        "limit_exceeded",
        ["one (2 above its limit)", "two (1)"],
    )


def test_a_run_without_news_raises_nothing(store: Store) -> None:
    settle(store, s1=("ok", None), s5=("dead", "http_404"))
    assert raised(store) == {}


def test_a_channel_that_keeps_too_many_dead_streams_is_named(store: Store) -> None:
    change = ChannelChange(channel_id=2, run_id="r", at=NOW, before=(3, 4), after=(3, 4), held=(4, 3))
    store.runs.finish_channel(change)
    assert raised(store) == {"approval_needed": ["channel 2"]}
    store.runs.finish_channel(change.model_copy(update={"held": (), "after": (3,)}))
    assert raised(store) == {}


def test_a_state_that_lasts_is_reported_once_and_again_after_its_end(store: Store) -> None:
    memory = Remembered()
    busy, fine = ("unknown", "provider_busy"), ("ok", None)
    settle(store, s1=busy, s5=busy)
    assert raised(store, memory) == {"limit_exceeded": ["one (1)", "two (1)"]}
    assert raised(store, memory) == {}
    settle(store, s1=fine)
    assert raised(store, memory) == {}
    settle(store, s1=busy)
    assert raised(store, memory) == {"limit_exceeded": ["one (1)"]}


def test_a_dark_channel_that_works_again_is_reported(store: Store) -> None:
    memory = Remembered()
    settle(store, s3=("dead", "no_data"), s4=("dead", "no_data"))
    assert "channel_dark" in raised(store, memory)
    settle(store, s3=("ok", None))
    assert raised(store, memory) == {"channel_back": ["channel 2"]}
    assert raised(store, memory) == {}


@pytest.mark.parametrize(("remaining", "expected"), [(0, {"window_too_short": ["night (7)"]}), (9, {})])
def test_a_window_that_closed_too_early_is_named_by_the_last_run(
    store: Store, remaining: int, expected: dict[str, list[str]]
) -> None:
    state = store.runs.state("r")
    assert state
    run = state.run.model_copy(
        update={"run_id": "schedule__night__2026-01-02", "skipped": {90: "window_closed"}, "remaining": remaining}
    )
    store.runs.open(run)
    store.runs.skip(run.run_id, "window_closed")
    closed = store.runs.state(run.run_id)
    assert closed
    memory = Remembered()
    found = alerts(of_run(store, closed), memory)
    assert {alert.kind: [one.name for one in alert.subjects] for alert in found} == expected
    assert alerts(of_run(store, closed), memory) == []


def test_a_name_mentions_nobody_and_shows_no_address() -> None:
    name = "<!channel> @everyone http://user:pass@provider.test/x"
    shown = alert("stream_dead", "newly dead streams", [(1, name)])
    assert shown
    assert "<!channel>" not in shown.text
    assert "@everyone" not in shown.text
    assert "pass" not in shown.text
