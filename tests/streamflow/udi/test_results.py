"""Results, failures and progress in every store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from streamflow.records import AudioTrack, DeadMemory, Decision
from streamflow.udi import bounds
from streamflow.udi.ports import Store
from support.udi_records import NOW, library, playback, result, stream


def test_a_result_is_returned_complete(store: Store) -> None:
    given = result(
        10,
        "degraded",
        reason="low_bitrate",
        detail="ü\n",
        fps=25.0,
        audio=(AudioTrack(codec="aac"),),
        quality=4.1,
        tls_untrusted=True,
        extra={"gop": 1},
    )
    store.runs.settle("no run", given)
    assert store.results.latest(10) == given
    assert store.results.latest_of([10, 11]) == {10: given}
    assert store.results.history(10) == [given]
    assert store.results.latest(11) is None
    assert store.results.latest_of([]) == {}


def test_the_newest_result_is_the_latest_in_any_order_of_arrival(store: Store) -> None:
    for minutes in (5, 0, 9, 7):
        store.runs.settle("no run", result(10, "ok" if minutes == 9 else "dead", minutes=minutes))
    assert store.results.latest(10) == result(10, "ok", minutes=9)
    assert store.results.history(10) == [
        result(10, "ok" if minutes == 9 else "dead", minutes=minutes) for minutes in (9, 7, 5, 0)
    ]
    assert store.results.history(10, 2) == store.results.history(10)[:2]
    assert store.results.history(10, 0) == []
    store.runs.settle("no run", result(11, "dead"))
    assert store.results.histories([11, 10, 12], 3) == {10: store.results.history(10, 3), 11: [result(11, "dead")]}


def test_the_same_result_again_changes_nothing(store: Store) -> None:
    for _ in range(3):
        store.runs.settle("no run", result(10))
    assert store.results.history(10) == [result(10)]
    assert store.results.streams_of_verdict("ok") == [10]


@pytest.mark.parametrize("later", [[], [5]], ids=["as the latest", "behind a later one"])
def test_a_changed_result_of_the_same_check_replaces_the_former_one(store: Store, later: list[int]) -> None:
    store.runs.settle("no run", result(10, "ok", minutes=-5))
    store.runs.settle("no run", result(10, "dead", reason="no_data"))
    newer = [result(10, minutes=minutes) for minutes in later]
    for one in newer:
        store.runs.settle("no run", one)
    changed = result(10, "unknown", reason="source_unavailable")
    store.runs.settle("no run", changed)
    assert store.results.history(10) == [*newer, changed, result(10, "ok", minutes=-5)]
    assert store.results.latest(10) == (newer[0] if newer else changed)
    assert store.results.streams_of_verdict("dead") == []


def test_streams_are_found_by_their_latest_verdict(store: Store) -> None:
    store.runs.settle("no run", result(10, "dead"))
    store.runs.settle("no run", result(11, "dead"))
    store.runs.settle("no run", result(10, "ok", minutes=1))
    assert store.results.streams_of_verdict("dead") == [11]
    assert store.results.streams_of_verdict("ok") == [10]
    assert store.results.streams_of_verdict("skipped") == []


def test_streams_are_found_by_the_time_of_their_last_check(store: Store) -> None:
    for stream_id, minutes in ((10, 0), (11, 5), (12, 10), (12, -10)):
        store.runs.settle("no run", result(stream_id, minutes=minutes))
    assert store.results.checked_since(NOW + timedelta(minutes=5)) == [11, 12]
    assert store.results.checked_since(NOW + timedelta(minutes=11)) == []
    assert store.results.checked_since(datetime(1970, 1, 1, tzinfo=UTC)) == [10, 11, 12]


def test_the_times_of_all_last_checks_are_returned_at_once(store: Store) -> None:
    assert store.results.last_checks() == {}
    for stream_id, at in ((10, NOW), (10, NOW + timedelta(microseconds=1)), (11, NOW)):
        store.runs.settle("no run", result(stream_id).model_copy(update={"checked_at": at}))
    assert store.results.last_checks() == {10: NOW + timedelta(microseconds=1), 11: NOW}
    assert store.results.last_checks(NOW + timedelta(microseconds=1)) == {10: NOW + timedelta(microseconds=1)}


def test_streams_with_a_changed_url_are_found(store: Store) -> None:
    streams = [stream(10), stream(11), stream(12, url=None), stream(13, url=None), stream(14), stream(15)]
    store.publish(library(*streams))
    for each in streams[:-1]:
        store.runs.settle("no run", result(each.id, url_hash=each.url_hash))
    store.runs.settle("no run", result(16, url_hash=stream(16).url_hash))
    assert store.results.changed_urls(range(10, 16)) == set()
    urls = {11: "http://provider/new", 12: "http://provider/12", 14: None}
    store.publish(library(*(each.model_copy(update={"url": urls.get(each.id, each.url)}) for each in streams)))
    assert store.results.changed_urls(range(10, 16)) == {11, 12, 14}
    assert store.results.changed_urls([10, 11]) == {11}
    assert store.results.changed_urls([]) == set()


def test_history_keeps_the_newest_results(store: Store) -> None:
    for minutes in range(bounds.HISTORY + 10):
        store.runs.settle("no run", result(10, minutes=minutes))
    past = store.results.history(10, 1000)
    assert past == [result(10, minutes=minutes) for minutes in reversed(range(10, bounds.HISTORY + 10))]


def test_the_memory_of_failures_is_replaced_completely(store: Store) -> None:
    memory = DeadMemory(failures=2, first_dead=NOW, last_alive=NOW - timedelta(days=1), removed_from={1: 3, 2: 0})
    store.results.remember_dead({10: memory})
    store.results.remember_dead({11: DeadMemory(removed_from={2: 4})})
    assert store.results.dead_memory([10, 12]) == {10: memory}
    assert store.results.removed_streams(1) == {10: 3}
    assert store.results.removed_streams(2) == {10: 0, 11: 4}
    assert store.results.removed_of_channels([2, 1, 3]) == {1: {10: 3}, 2: {10: 0, 11: 4}}
    assert store.results.removed_of_channels([]) == {}
    store.results.remember_dead({10: DeadMemory(failures=3, removed_from={2: 1})})
    assert store.results.removed_streams(1) == {}
    assert store.results.removed_streams(2) == {10: 1, 11: 4}
    assert store.results.dead_memory([10])[10].first_dead is None


def test_progress_is_returned_until_its_end(store: Store) -> None:
    store.progress.publish(10, {"bitrate_kbps": 5})
    store.progress.publish(11, {"bitrate_kbps": 6})
    store.progress.publish(10, {"bitrate_kbps": 7})
    assert store.progress.running() == {10: {"bitrate_kbps": 7}, 11: {"bitrate_kbps": 6}}
    store.progress.publish(11, None)
    store.progress.publish(12, None)
    assert store.progress.running() == {10: {"bitrate_kbps": 7}}


def test_progress_that_is_not_renewed_expires(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PROGRESS_SECONDS", -1)
    store.progress.publish(10, {"bitrate_kbps": 5})
    assert store.progress.running() == {}


def test_pruning_deletes_the_data_of_streams_that_left_long_ago(store: Store) -> None:
    store.publish(library(stream(10), stream(11)))
    now = datetime.now(UTC)
    old = now - timedelta(days=40)
    for stream_id, at in ((10, old), (12, old), (13, now)):
        store.runs.settle("no run", result(stream_id, "dead").model_copy(update={"checked_at": at}))
        store.results.remember_dead({stream_id: DeadMemory(failures=1, removed_from={1: 0})})
    assert store.prune()["streams"] == 1
    assert (
        store.results.streams_of_verdict("dead") == store.results.checked_since(NOW - timedelta(days=900)) == [10, 13]
    )
    assert store.results.latest_of([10, 12, 13]).keys() == store.results.dead_memory([10, 12, 13]).keys() == {10, 13}
    assert store.results.removed_streams(1) == {10: 0, 13: 0}
    assert store.results.history(12) == []


def test_pruning_without_a_library_deletes_no_stream(store: Store) -> None:
    store.runs.settle("no run", result(10).model_copy(update={"checked_at": datetime(2020, 1, 1, tzinfo=UTC)}))
    assert store.prune()["streams"] == 0
    assert store.results.latest(10) is not None


def test_decisions_are_found_without_a_search(store: Store) -> None:
    decision = Decision(state="rejected", at=NOW, why="the name fits", asked_by="run")
    decided = DeadMemory(failures=1, decisions={2: decision})
    store.results.remember_dead({10: decided, 11: DeadMemory(failures=2)})
    assert store.results.decided() == {10: decided}
    store.results.remember_dead({10: DeadMemory(failures=1)})
    assert store.results.decided() == {}


def test_a_decision_about_a_stream_that_was_never_checked_follows_it_to_its_new_id(store: Store) -> None:
    decided = DeadMemory(decisions={2: Decision(state="rejected", at=NOW)})
    store.publish(library(stream(10), stream(11, provider_id="p")))
    store.results.remember_dead({11: decided})
    store.publish(library(stream(10)))
    store.publish(library(stream(10), stream(12, provider_id="p")))
    assert store.results.decided()[12] == decided


def test_playbacks_are_kept_newest_first_and_replaced_by_their_start(store: Store) -> None:
    given = [playback(10), playback(11, 5), playback(10, 60, breaks=2)]
    store.results.add_playbacks(iter(given))
    store.results.add_playbacks(given)
    assert store.results.playbacks([10, 11, 12]) == {10: [given[2], given[0]], 11: [given[1]]}
    shorter = playback(10, ended_at=NOW + timedelta(minutes=3))
    store.results.add_playbacks([shorter])
    assert store.results.playbacks([10]) == {10: [given[2], shorter]}
    store.results.add_playbacks([])


def test_the_playbacks_of_a_stream_are_bounded(store: Store) -> None:
    store.results.add_playbacks([playback(10, minutes) for minutes in range(60)])
    assert [one.begun_at for one in store.results.playbacks([10])[10]] == [
        NOW + timedelta(minutes=59 - place) for place in range(bounds.PLAYBACKS)
    ]
    later = playback(11, minutes=60 * 24 * (bounds.PLAYBACK_DAYS + 2))
    store.results.add_playbacks([later])
    assert store.results.playbacks([10, 11]) == {11: [later]}
