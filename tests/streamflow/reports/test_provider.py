"""The report card shows what a provider's account delivered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from streamflow.errors import UnknownRecord
from streamflow.records import Account
from streamflow.reports.provider import MOST_STREAMS, report
from streamflow.udi.ports import Store
from support.library import result, stored, stream

# A Friday.
EVENING = datetime(2026, 1, 2, 19, 30, tzinfo=UTC)
END = datetime(2026, 12, 31, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return two accounts: both serve channel 1, the first one channel 2, and the second one channel 3."""
    return stored(
        tmp_path,
        {1: (1, 2, 11), 2: (3,), 3: (12,)},
        accounts=[
            Account(id=1, name="North", max_streams=2, budget="a", expires_at=END),
            Account(id=2, name="South", budget="b"),
        ],
        streams=[*(stream(i, 1) for i in (1, 2, 3, 4)), *(stream(i, 2) for i in (11, 12))],
    )


def test_an_account_without_checks_has_an_empty_card(store: Store) -> None:
    card = report(store, 1)
    assert (card.name, card.expires_at, card.limits.sold, card.limits.believed) == ("North", END, 2, None)
    assert (card.total.streams, card.total.in_channels, card.total.checked, card.total.share_working) == (4, 3, 0, None)
    assert (card.since, card.until) == (None, None)
    assert {part.share_working for part in [*card.by_hour, *card.by_weekday]} == {None}


def test_an_unknown_account_is_named(store: Store) -> None:
    with pytest.raises(UnknownRecord, match="account 7"):
        report(store, 7)


def test_checks_are_counted_by_hour_and_weekday_of_the_time_zone(store: Store) -> None:
    store.runs.settle("no run", result(1, at=EVENING))
    store.runs.settle("no run", result(1, "dead", at=EVENING + timedelta(days=1), reason="http_404"))
    store.runs.settle("no run", result(2, at=EVENING))
    store.runs.settle("no run", result(2, "unknown", at=EVENING + timedelta(hours=1), reason="provider_busy"))
    card = report(store, 1, zone=ZoneInfo("Asia/Tokyo"))
    assert {part.name: (part.checks, part.share_working) for part in card.by_hour if part.checks} == {
        "04:00": (3, 0.6667)
    }
    # 19:30 UTC on a Friday is Saturday in Tokyo.
    assert {part.name: part.checks for part in card.by_weekday if part.checks} == {"Saturday": 2, "Sunday": 1}
    assert (card.total.checks, card.total.share_working, card.total.checked) == (3, 0.6667, 2)
    assert (card.since, card.until) == (EVENING, EVENING + timedelta(days=1))
    assert {(one.verdict, one.reason, one.checks) for one in card.reasons} == {
        ("unknown", "provider_busy", 1),
        ("dead", "http_404", 1),
    }


def test_refused_tries_count_also_when_a_later_try_worked(store: Store) -> None:
    tries = [{"reason": "provider_busy"}, {"reason": "provider_busy"}, {"reason": None}]
    store.runs.settle("no run", result(1, at=EVENING, extra={"tries": tries}))
    store.runs.settle("no run", result(2, "unknown", at=EVENING, reason="provider_busy"))
    card = report(store, 1, believed=1, evidence=("refused with 2 connections",))
    assert card.total.refusals == 3
    assert (card.limits.believed, card.limits.evidence) == (1, ["refused with 2 connections"])


def test_start_times_and_losses_are_those_of_decided_checks(store: Store) -> None:
    for stream_id, (start, reason) in enumerate([(100, None), (200, None), (900, "unstable")], 1):
        verdict = "degraded" if reason else "ok"
        store.runs.settle("no run", result(stream_id, verdict, at=EVENING, reason=reason, first_frame_ms=start))
    total = report(store, 1).total
    assert (total.start_ms, total.share_unstable, total.share_working) == (200, 0.3333, 1.0)
    assert total.slow_start_ms is not None
    assert total.slow_start_ms >= 900


def test_accounts_on_the_same_channels_are_compared_by_their_best_working_streams(store: Store) -> None:
    store.runs.settle("no run", result(1, at=EVENING, score=0.6))
    store.runs.settle("no run", result(2, "dead", at=EVENING, score=0.9))
    store.runs.settle("no run", result(11, at=EVENING, account_id=2, score=0.7))
    north, south = report(store, 1), report(store, 2)
    assert [(one.name, one.channels, one.better, one.worse) for one in north.rivals] == [("South", 1, 0, 1)]
    assert [(one.name, one.channels, one.better, one.worse) for one in south.rivals] == [("North", 1, 1, 0)]
    assert [one.name for one in north.only_source] == ["channel 2"]
    assert [(one.name, one.working) for one in south.only_source] == [("channel 3", 0)]


def test_streams_that_promise_too_much_are_listed(store: Store) -> None:
    store.runs.settle("no run", result(1, at=EVENING, label_mismatch="named 4K, measured 1080p"))
    store.runs.settle("no run", result(11, at=EVENING, account_id=2, label_mismatch="named 4K, measured 720p"))
    assert [(one.stream_id, one.account, one.label_mismatch) for one in report(store, 1).mislabelled] == [
        (1, "North", "named 4K, measured 1080p")
    ]


def test_only_the_newest_streams_of_a_huge_account_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_STREAMS == 5000
    monkeypatch.setattr("streamflow.reports.provider.MOST_STREAMS", 1)
    store.runs.settle("no run", result(1, "dead", at=EVENING))
    store.runs.settle("no run", result(2, at=EVENING + timedelta(hours=1)))
    total = report(store, 1).total
    assert (total.checked, total.share_working) == (1, 1.0)
