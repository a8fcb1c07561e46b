"""The library in every store."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from streamflow.errors import SourceError
from streamflow.records import Account, DeadMemory, Profile
from streamflow.udi.ports import Store
from streamflow.udi.snapshot import Snapshot
from support.udi_records import NOW, library, planned, result, stream


def test_a_store_without_a_library_is_empty(store: Store) -> None:
    assert store.library.refreshed_at() is None
    assert (store.library.accounts(), store.library.groups(), store.library.channels(), store.library.stream_ids()) == (
        [],
        [],
        [],
        [],
    )
    assert (store.library.account(1), store.library.stream(1), store.library.channel(1)) == (None, None, None)
    assert (
        store.library.streams([1, 2]),
        store.library.channels([1]),
        store.library.streams([]),
        store.library.channels([]),
    ) == ({}, [], {}, [])
    assert (
        store.library.streams_of_account(1)
        == store.library.streams_of_group(1)
        == store.library.channels_of_group(1)
        == []
    )
    assert store.library.streams_of_url("0" * 64) == store.library.channels_of_stream(1) == []


def test_records_are_returned_as_published(store: Store) -> None:
    snapshot = library(
        stream(10, name='Zoë "4K"\n{streamflow}', provider_id="p", tvg_id="t", is_stale=True, is_page=True),
        stream(11, url=None, account_id=None, group_id=None, is_custom=True),
    )
    profile = Profile(id=4, name="p", max_streams=2, search_pattern="^a", replace_pattern="$1")
    snapshot.accounts.append(Account(id=3, name="Three", is_active=False, budget="b", profiles=(profile,)))
    store.publish(snapshot)
    assert store.library.accounts() == snapshot.accounts
    assert store.library.account(3) == snapshot.accounts[-1]
    assert store.library.groups() == snapshot.groups
    assert store.library.streams([10, 11, 99]) == dict(zip((10, 11), snapshot.streams, strict=False))
    assert store.library.stream(10) == next(iter(snapshot.streams))
    assert store.library.channels() == snapshot.channels
    assert store.library.channel(2) == snapshot.channels[1]
    assert store.library.channels([2, 99]) == [snapshot.channels[1]]
    assert store.library.refreshed_at() is not None


def test_every_index_finds_its_records(store: Store) -> None:
    same = "http://provider/same"
    store.publish(
        library(
            stream(10, url=same),
            stream(300, url=same, account_id=2),
            stream(11, group_id=9),
            stream(5_000_000_000, url=None, account_id=None),
            channels={1: (11, 10), 20: (10, 300)},
        )
    )
    assert store.library.stream_ids() == [10, 11, 300, 5_000_000_000]
    assert store.library.streams_of_account(1) == [10, 11]
    assert store.library.streams_of_account(2) == [300]
    assert store.library.streams_of_group(9) == [11]
    assert store.library.streams_of_url(sha256(same.encode()).hexdigest()) == [10, 300]
    hashes = [sha256(url).hexdigest() for url in (same.encode(), b"unknown")]
    assert store.library.streams_of_urls(hashes) == {hashes[0]: [10, 300]}
    assert store.library.streams_of_url(sha256(b"").hexdigest()) == []
    assert store.library.streams_of_url("") == []
    assert store.library.channels_of_group(8) == [1, 20]
    assert store.library.channels_of_stream(10) == [1, 20]
    assert store.library.channel(1).stream_ids == (11, 10)


def test_a_refresh_reports_and_indexes_what_changed(store: Store) -> None:
    first = store.publish(library(channels={1: (10, 11), 2: (11, 12)}))
    assert first.added == {"accounts": 2, "groups": 2, "streams": 3, "channels": 2}
    report = store.publish(
        replace(
            library(
                stream(10),
                stream(11, account_id=2, group_id=8, url="http://elsewhere/11"),
                stream(13),
                channels={1: (11, 13), 3: (10,)},
            ),
            broken=[("stream 14", "no id")],
        )
    )
    assert (report.added["streams"], report.changed["streams"], report.removed["streams"]) == (1, 1, 1)
    assert (report.added["channels"], report.changed["channels"], report.removed["channels"]) == (1, 1, 1)
    assert (report.added["accounts"], report.changed["groups"]) == (0, 0)
    assert report.broken == [("stream 14", "no id")]
    assert store.library.stream_ids() == [10, 11, 13]
    assert store.library.stream(12) is None
    assert store.library.streams_of_account(1) == [10, 13]
    assert store.library.streams_of_account(2) == store.library.streams_of_group(8) == [11]
    assert store.library.streams_of_url(stream(11).url_hash) == []
    assert store.library.streams_of_url(store.library.stream(11).url_hash) == [11]
    assert store.library.channels_of_stream(10) == [3]
    assert store.library.channels_of_stream(11) == store.library.channels_of_stream(13) == [1]
    assert store.library.channels_of_group(8) == [1, 3]
    assert store.library.channel(2) is None


def test_publishing_the_same_library_changes_nothing(store: Store) -> None:
    store.publish(library())
    report = store.publish(library())
    assert not any((*report.added.values(), *report.changed.values(), *report.removed.values()))


def test_a_library_that_lost_most_streams_is_rejected_unless_forced(store: Store) -> None:
    store.publish(library(*map(stream, range(200)), channels={}))
    with pytest.raises(SourceError, match="drop 150 of 200"):
        store.publish(library(*map(stream, range(50)), channels={}))
    assert len(store.library.stream_ids()) == 200
    store.publish(library(*map(stream, range(50)), channels={}), force=True)
    assert len(store.library.stream_ids()) == 50


def test_the_allowed_share_of_removed_streams_can_be_set(store: Store) -> None:
    store.publish(library(*map(stream, range(200)), channels={}))
    with pytest.raises(SourceError):
        store.publish(library(*map(stream, range(150)), channels={}), max_drop=0.2)
    store.publish(library(*map(stream, range(160)), channels={}), max_drop=0.2)
    assert len(store.library.stream_ids()) == 160


@pytest.mark.parametrize(("before", "after"), [(50, 1), (5, 2), (3, 1)])
def test_a_small_library_that_lost_most_streams_is_rejected_too(store: Store, before: int, after: int) -> None:
    store.publish(library(*map(stream, range(before)), channels={}))
    with pytest.raises(SourceError, match=f"drop {before - after} of {before}"):
        store.publish(library(*map(stream, range(after)), channels={}))
    assert len(store.library.stream_ids()) == before


def test_a_small_library_may_change_each_address(store: Store) -> None:
    store.publish(library(*map(stream, range(5)), channels={}))
    store.publish(library(*map(stream, range(20, 24)), channels={}))
    assert store.library.stream_ids() == [20, 21, 22, 23]


def test_a_library_can_become_empty_by_force(store: Store) -> None:
    store.publish(library(stream(10), channels={}))
    with pytest.raises(SourceError, match="drop 1 of 1"):
        store.publish(Snapshot(accounts=[], groups=[], streams=[], channels=[]))
    store.publish(Snapshot(accounts=[], groups=[], streams=[], channels=[]), force=True)
    assert (store.library.accounts(), store.library.groups(), store.library.channels(), store.library.stream_ids()) == (
        [],
        [],
        [],
        [],
    )
    assert store.library.channels_of_stream(10) == store.library.streams_of_account(1) == []
    assert store.library.refreshed_at() is not None


@pytest.mark.parametrize("identity", [{"url": "http://provider/10"}, {"provider_id": "p", "url": "http://new"}])
def test_a_stream_with_a_new_id_keeps_its_results(store: Store, identity: dict[str, str]) -> None:
    store.publish(library(stream(10, provider_id="p"), stream(11)))
    store.runs.settle("no run", result(10, "dead", minutes=0))
    store.runs.settle("no run", result(10, "ok", minutes=5))
    store.results.remember_dead({10: DeadMemory(failures=2, removed_from={1: 0})})
    store.publish(library(stream(20, **identity), stream(11)))
    assert [past.verdict for past in store.results.history(20)] == ["ok", "dead"]
    assert store.results.latest(20).stream_id == 20
    assert 20 in store.results.streams_of_verdict("ok")
    assert store.results.dead_memory([20])[20] == DeadMemory(failures=2)


@pytest.mark.parametrize("identity", [{"url": "http://provider/10"}, {"provider_id": "p", "url": "http://new"}])
def test_a_stream_that_was_absent_for_some_refreshes_keeps_its_results(store: Store, identity: dict[str, str]) -> None:
    store.publish(library(stream(10, provider_id="p"), stream(11)))
    store.runs.settle("no run", result(10, "dead", minutes=0))
    store.publish(library(stream(11)))
    store.publish(library(stream(11), stream(12)))
    store.publish(library(stream(11), stream(20, **identity)))
    assert [past.verdict for past in store.results.history(20)] == ["dead"]
    assert store.results.latest(20).stream_id == 20


def returned(store: Store, *stream_ids: int) -> list[int]:
    memories = store.results.dead_memory(stream_ids)
    return [i for i in stream_ids if i in memories and memories[i].has_returned_since(NOW)]


def test_the_return_of_a_dead_stream_is_noted(store: Store) -> None:
    everything = [stream(10), stream(11, is_stale=True), stream(12), stream(13, provider_id="p"), stream(14)]
    store.publish(library(*everything))
    for stream_id in (10, 11, 13, 14):
        store.runs.settle("no run", result(stream_id, "dead"))
    store.runs.settle("no run", result(12))
    store.results.remember_dead({10: DeadMemory(failures=3, removed_from={1: 0})})
    store.publish(library(stream(11, is_stale=True), stream(14)), force=True)
    assert returned(store, 10, 11, 12, 13, 14) == []
    back = [stream(10), stream(11), stream(12), stream(23, provider_id="p", url="http://new"), stream(14)]
    store.publish(library(*back))
    assert returned(store, 10, 11, 12, 23, 14) == [10, 11, 23]
    memory = store.results.dead_memory([10])[10]
    assert (memory.failures, memory.removed_from) == (3, {1: 0})
    assert store.results.removed_streams(1) == {10: 0}


def test_a_stream_that_only_gets_a_new_id_has_not_returned(store: Store) -> None:
    store.publish(library(stream(10, provider_id="p"), stream(11)))
    store.runs.settle("no run", result(10, "dead"))
    store.publish(library(stream(20, provider_id="p", url="http://new"), stream(11)))
    assert returned(store, 10, 20) == []


def test_a_stream_that_came_back_leaves_no_results_to_a_later_one_of_the_same_url(store: Store) -> None:
    store.publish(library(stream(10), stream(11)))
    store.runs.settle("no run", result(10))
    store.publish(library(stream(11)))
    store.publish(library(stream(10), stream(11)))
    assert store.results.history(10) == [result(10)]
    store.publish(library(stream(10), stream(11), stream(20, url="http://provider/10")))
    assert store.results.latest(20) is None


def test_pruned_results_are_not_carried_over(store: Store) -> None:
    store.publish(library(stream(10), stream(11)))
    store.runs.settle("no run", result(10).model_copy(update={"checked_at": datetime(2020, 1, 1, tzinfo=UTC)}))
    store.publish(library(stream(11)))
    assert store.prune()["streams"] == 1
    store.runs.settle("no run", result(10))
    store.publish(library(stream(11), stream(20, url="http://provider/10")))
    assert store.results.latest(20) is None


def test_a_stream_of_another_account_gets_no_results(store: Store) -> None:
    store.publish(library(stream(10), stream(11)))
    store.runs.settle("no run", result(10))
    store.publish(library(stream(20, url="http://provider/10", account_id=2), stream(11)))
    assert store.results.latest(20) is None


def test_a_written_order_replaces_the_former_one(store: Store) -> None:
    store.publish(library(channels={1: (10, 11, 12), 2: (10,)}))
    store.library.reorder(1, [12, 10])
    assert store.library.channel(1).stream_ids == (12, 10)
    assert store.library.channels_of_stream(11) == []
    assert store.library.channels_of_stream(10) == [1, 2]
    store.library.reorder(1, [12, 10, 11])
    assert store.library.channels_of_stream(11) == [1]
    store.library.reorder(99, [10])
    assert store.library.channel(99) is None
    assert store.library.channel(2).stream_ids == (10,)


def test_concurrent_reorders_do_not_undo_each_other(store: Store) -> None:
    store.publish(library(channels=dict.fromkeys(range(8), (10, 11))))
    threads = [threading.Thread(target=store.library.reorder, args=(key, [12, 11])) for key in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {channel.stream_ids for channel in store.library.channels()} == {(12, 11)}
    assert store.library.channels_of_stream(12) == list(range(8))
    assert store.library.channels_of_stream(10) == []


def test_concurrent_refreshes_leave_one_complete_library(store: Store) -> None:
    libraries = [library(*(stream(i, account_id=n) for i in range(n, 60, 3)), channels={n: (n,)}) for n in range(3)]
    threads = [threading.Thread(target=store.publish, args=(each,)) for each in libraries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = store.library.stream_ids()
    left = libraries[ids[0]]
    assert list(store.library.streams(ids).values()) == left.streams
    assert store.library.channels() == left.channels
    for n in range(3):
        assert store.library.streams_of_account(n) == (ids if n == ids[0] else [])


def test_hostile_text_stays_data(store: Store) -> None:
    name = "\n11 {}\n\r\u2028'; return redis.call('FLUSHALL') --"
    hostile = stream(10, name=name, url="http://x/\n12 {}\n")
    store.publish(library(hostile, stream(11, name="\n10 ")))
    assert store.library.stream(10) == hostile
    assert store.library.stream(12) is None
    store.runs.open(planned("a|b,{c}\n", {1: (10,)}))
    refused = result(10, "dead", reason="1|2", detail=name)
    assert store.runs.settle("a|b,{c}\n", refused) == [1]
    assert store.runs.state("a|b,{c}\n").streams == {10: "dead"}
    assert store.results.latest(10) == refused
