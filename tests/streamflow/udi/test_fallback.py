"""The fallback: switching between Redis and the file store, without lost or doubled results."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.client import Pipeline
from redis.exceptions import ConnectionError
from redis.retry import Retry

from conftest import RedisServer
from streamflow.errors import SourceError, UdiUnavailable
from streamflow.records import DeadMemory, Result
from streamflow.udi import Udi, bounds, fallback, journal, open_udi
from streamflow.udi.ports import Store
from streamflow.udi.redis import publishing as redis_publishing
from streamflow.udi.redis.keys import EVENTS, PREFIX
from streamflow.udi.redis.runs import RedisRuns
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.sqlite import publishing as file_publishing
from streamflow.udi.sqlite.store import FileStore
from support.udi_records import NOW, change, library, planned, playback, result, stream


class Parts:
    """The UDI over a Redis of its own, and each store alone."""

    def __init__(self, server: RedisServer, home: Path) -> None:
        self.server = server
        self.home = home
        self.client = self.connect()
        self.redis = RedisStore(self.client)
        self.udi = self.open()
        self.file = FileStore(home / "udi" / "udi.db")

    def connect(self) -> Redis:
        """Return a client that retries once, like that of the product."""
        return self.server.client(retry=Retry(ExponentialBackoff(0.1, 0.01), 1))

    def open(self) -> Udi:
        """Return the UDI of another process."""
        return open_udi(self.connect(), self.home)

    @property
    def is_away(self) -> bool:
        return (self.home / "udi" / "redis.away").exists()

    def events(self, kind: bytes) -> int:
        """Return the number of events of a kind."""
        return sum(fields[b"type"] == kind for _, fields in self.client.xrange(EVENTS))


@pytest.fixture
def parts(own_redis: RedisServer, tmp_path: Path) -> Parts:
    return Parts(own_redis, tmp_path)


@pytest.fixture
def checks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every call check whether Redis is back."""
    monkeypatch.setattr(fallback, "RECHECK_SECONDS", 0)


def everything(store: Store) -> dict[str, Any]:
    """Return all data that the tests put into a store."""
    ids = [*store.library.stream_ids(), 20]
    return {
        "accounts": store.library.accounts(),
        "groups": store.library.groups(),
        "streams": store.library.streams(ids),
        "of account": [store.library.streams_of_account(i) for i in (1, 2)],
        "of url": [store.library.streams_of_url(each.url_hash) for each in store.library.streams(ids).values()],
        "channels": store.library.channels(),
        "members": [store.library.channels_of_stream(i) for i in ids],
        "results": store.results.latest_of(ids),
        "history": [store.results.history(i) for i in ids],
        "verdicts": [store.results.streams_of_verdict(verdict) for verdict in ("ok", "dead", "unknown")],
        "checked": store.results.checked_since(NOW),
        "memory": store.results.dead_memory(ids),
        "playbacks": store.results.playbacks(ids),
        "removed": [store.results.removed_streams(i) for i in (1, 2)],
        "runs": store.runs.newest(),
        "run": [store.runs.state(run_id) for run_id in store.runs.newest()],
        "unfinished": [store.runs.unfinished_channels(run_id) for run_id in store.runs.newest()],
        "changes": [store.runs.changes(i) for i in (1, 2)],
    }


def begin_run(store: Store) -> None:
    """Open a run and settle one of its three streams."""
    store.publish(library())
    store.runs.open(planned())
    store.runs.settle("run", result(10, "dead", reason="no_data"))
    store.results.remember_dead({10: DeadMemory(failures=1, first_dead=NOW)})
    store.results.add_playbacks([playback(10)])


def finish_run(store: Store) -> None:
    """Finish the run."""
    assert store.runs.settle("run", result(11)) == [1]
    store.library.reorder(1, [11])
    store.results.remember_dead({10: DeadMemory(failures=2, first_dead=NOW, removed_from={1: 0})})
    store.runs.finish_channel(change(1))
    store.results.add_playbacks([playback(11), playback(10, 30, breaks=1)])
    assert store.runs.settle("run", result(12, minutes=2)) == [2]
    store.runs.settle("no run", result(12, "unknown", minutes=1))
    store.runs.finish_channel(change(2))
    store.runs.close("run", {"channels": 2}, NOW)
    store.runs.open(planned("next", {2: (12,)}, minutes=1))


def test_both_stores_hold_the_same_data(parts: Parts) -> None:
    begin_run(parts.udi)
    finish_run(parts.udi)
    assert not parts.is_away
    assert everything(parts.file) == everything(parts.redis) == everything(parts.udi)
    assert parts.file.journal() == []


def test_a_run_continues_without_redis_and_is_merged_later(
    parts: Parts, checks_at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    begin_run(parts.udi)
    parts.server.kill()
    assert parts.udi.runs.unsettled_streams("run") == [11, 12]
    finish_run(parts.udi)
    assert parts.is_away
    expected = everything(parts.udi)
    parts.server.start()
    assert everything(parts.udi) == expected
    assert everything(parts.redis) == expected
    assert not parts.is_away
    assert parts.file.journal() == []
    # The append-only file kept the first event. Each of the others came once.
    assert parts.events(b"result") == 4
    warned = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) == 1, warned
    assert "uses its file store: Redis cannot be reached" in warned[0]
    assert "the UDI uses Redis again; merged 10 writes" in caplog.messages


@pytest.mark.parametrize("lose", ["killed", "flushed"])
def test_a_redis_that_lost_its_data_is_filled(parts: Parts, checks_at_once: None, lose: str) -> None:
    begin_run(parts.udi)
    finish_run(parts.udi)
    for minutes in (3, 4, 5):
        parts.udi.runs.settle("no run", result(11, "dead", minutes=minutes))
    expected = everything(parts.udi)
    if lose == "killed":
        parts.server.kill(forget=True)
        parts.server.start()
    else:
        parts.client.flushall()
    assert everything(parts.udi) == expected
    assert everything(parts.redis) == expected
    assert not parts.is_away


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.runs.settle("run", result(11)),
        lambda store: store.runs.settle("no run", result(11)),
        lambda store: store.publish(library(stream(10), stream(11), stream(12), stream(13))),
        lambda store: store.runs.open(planned("next", minutes=1)),
        lambda store: store.runs.finish_channel(change(1)),
        lambda store: store.library.reorder(1, [11, 10]),
        lambda store: store.results.remember_dead({11: DeadMemory(failures=1)}),
    ],
)
def test_a_write_to_a_redis_that_lost_its_data_lets_it_be_filled(
    parts: Parts, checks_at_once: None, write: Callable[[Store], object]
) -> None:
    begin_run(parts.udi)
    parts.client.flushall()
    write(parts.udi)
    expected = everything(parts.file)
    assert everything(parts.udi) == expected
    assert everything(parts.redis) == expected


def test_a_filled_redis_recognizes_streams_that_come_back(parts: Parts, checks_at_once: None) -> None:
    parts.udi.publish(library())
    parts.udi.runs.settle("no run", result(12, "dead"))
    parts.udi.publish(library(stream(10), stream(11)))
    parts.client.flushall()
    parts.udi.publish(library(stream(10), stream(11), stream(20, url=stream(12).url)))
    assert [past.verdict for past in parts.redis.results.history(20)] == ["dead"]
    assert parts.file.results.history(20) == parts.redis.results.history(20)


def test_a_redis_of_another_layout_is_filled(parts: Parts, checks_at_once: None) -> None:
    begin_run(parts.udi)
    finish_run(parts.udi)
    expected = everything(parts.udi)
    parts.client.set(PREFIX + "layout", "0")
    parts.client.set(PREFIX + "history:11", "what another layout had there")
    assert parts.udi.library.stream_ids() == [10, 11, 12]
    assert everything(parts.udi) == expected
    assert everything(parts.redis) == expected


def test_a_ready_channel_is_returned_although_redis_lost_the_run(parts: Parts) -> None:
    begin_run(parts.udi)
    parts.client.flushall()
    assert parts.udi.runs.settle("run", result(11)) == [1]


def test_an_interrupted_filling_is_repeated(
    parts: Parts, checks_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_run(parts.udi)
    finish_run(parts.udi)
    expected = everything(parts.udi)
    parts.client.flushall()

    def broken(self: RedisRuns, *_: object) -> None:
        raise UdiUnavailable("went away again")

    with monkeypatch.context() as patch:
        patch.setattr(RedisRuns, "take_over", broken)
        assert everything(parts.udi) == expected
        assert parts.is_away
    assert everything(parts.udi) == expected
    assert everything(parts.redis) == expected
    assert not parts.is_away


def test_a_merge_that_is_interrupted_at_any_entry_is_repeated_without_harm(
    parts: Parts, checks_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_run(parts.udi)
    parts.server.kill()
    finish_run(parts.udi)
    expected = everything(parts.udi)
    entries = len(parts.file.journal())
    parts.server.start()
    real = journal.replay
    done = last = 0

    def interrupted(*entry: Any) -> None:
        nonlocal done
        real(*entry)
        done += 1
        if done == last:
            raise UdiUnavailable("the answer was lost")

    monkeypatch.setattr(journal, "replay", interrupted)
    for broken_off_after in range(1, entries + 1):
        done, last = 0, broken_off_after
        assert parts.udi.merge() == 0
        assert parts.is_away
        assert everything(parts.file) == expected
    monkeypatch.setattr(journal, "replay", real)
    assert parts.udi.merge() == entries
    assert everything(parts.redis) == expected


def test_redis_is_not_read_before_it_is_up_to_date(
    parts: Parts, checks_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_run(parts.udi)
    parts.server.kill()
    parts.udi.runs.settle("run", result(11))
    parts.server.start()
    merging, read = threading.Event(), threading.Event()
    real = journal.replay

    def slow(*entry: Any) -> None:
        merging.set()
        assert read.wait(5)
        real(*entry)

    monkeypatch.setattr(journal, "replay", slow)
    merger = threading.Thread(target=parts.udi.merge)
    merger.start()
    assert merging.wait(5)
    other = parts.open()
    assert other.runs.unsettled_streams("run") == [12]
    assert other.runs.settle("run", result(12)) == [2]
    read.set()
    merger.join()
    assert not parts.is_away
    # The write during the merge was merged too.
    assert everything(parts.redis) == everything(parts.file)
    assert parts.redis.runs.unsettled_streams("run") == []


def test_concurrent_merges_merge_each_entry_once(parts: Parts) -> None:
    begin_run(parts.udi)
    parts.server.kill()
    for minutes in range(20):
        parts.udi.runs.settle("no run", result(12, minutes=minutes))
    parts.server.start()
    udis = [parts.open() for _ in range(4)]
    merged: list[int] = []
    threads = [threading.Thread(target=lambda udi=udi: merged.append(udi.merge())) for udi in udis]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(merged) == [0, 0, 0, 20]
    assert parts.events(b"result") == 21


def test_a_write_whose_reply_was_lost_is_stored_once(
    parts: Parts, checks_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_run(parts.udi)
    real = RedisRuns.settle

    def without_reply(self: RedisRuns, run_id: str, given: Result) -> list[int]:
        real(self, run_id, given)
        raise UdiUnavailable("no answer in time")

    with monkeypatch.context() as patch:
        patch.setattr(RedisRuns, "settle", without_reply)
        assert parts.udi.runs.settle("run", result(11)) == [1]
    assert parts.udi.runs.settle("run", result(12)) == [2]
    assert everything(parts.redis) == everything(parts.file)
    assert parts.redis.results.history(11) == [result(11)]


def test_entries_of_a_dead_writer_are_merged_and_restore_nothing_old(parts: Parts) -> None:
    begin_run(parts.udi)
    # Writers that die before they reach Redis leave these entries.
    parts.file.runs.settle("no run", result(12, minutes=-5))
    for entry in (
        journal.Settled(run_id="no run", result=result(12, minutes=-5)),
        journal.Remembered(stream_ids=(10,)),
        journal.Reordered(channel_id=1),
        journal.Published(),
        journal.Opened(run_id="run"),
    ):
        parts.file.note(entry.kind, entry.model_dump_json())
    parts.udi.runs.settle("no run", result(12))
    parts.udi.results.remember_dead({10: DeadMemory(failures=5)})
    parts.udi.library.reorder(1, [11, 10])
    parts.udi.runs.settle("run", result(11))
    assert parts.udi.merge() == 5
    assert parts.redis.results.latest(12) == result(12)
    assert parts.redis.results.history(12) == [result(12), result(12, minutes=-5)]
    assert parts.redis.results.dead_memory([10]) == {10: DeadMemory(failures=5)}
    assert parts.redis.library.channel(1).stream_ids == (11, 10)
    assert everything(parts.redis) == everything(parts.file)


def test_a_refresh_without_redis_reaches_it_later(parts: Parts, checks_at_once: None) -> None:
    begin_run(parts.udi)
    parts.server.kill()
    parts.udi.publish(library(stream(10), stream(20), channels={2: (20,)}))
    assert parts.udi.library.stream_ids() == [10, 20]
    expected = everything(parts.udi)
    parts.server.start()
    assert everything(parts.udi) == everything(parts.redis) == expected
    assert parts.redis.library.refreshed_at() == parts.file.library.refreshed_at()


def test_redis_keeps_the_old_library_when_it_dies_during_a_refresh(
    parts: Parts, checks_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_run(parts.udi)
    before = everything(parts.redis)
    with monkeypatch.context() as patch:

        def dies(self: Pipeline, raise_on_error: bool = True) -> None:
            raise ConnectionError("reset by peer")

        patch.setattr(Pipeline, "execute", dies)
        parts.udi.publish(library(stream(10), stream(20), channels={2: (20,)}))
    assert everything(parts.redis) == before
    assert parts.file.library.stream_ids() == [10, 20]
    assert parts.udi.library.stream_ids() == [10, 20]
    assert everything(parts.redis) == everything(parts.file)


def test_a_memory_that_version_0_1_left_in_the_journal_is_merged(parts: Parts) -> None:
    begin_run(parts.udi)
    parts.file.results.remember_dead({10: DeadMemory(failures=5)})
    parts.file.note("dead", '{"stream_id": 10}')
    parts.udi.merge()
    assert parts.redis.results.dead_memory([10]) == {10: DeadMemory(failures=5)}


def test_both_stores_keep_the_old_library_when_the_file_fails(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    begin_run(parts.udi)
    before, journal_before = everything(parts.udi), parts.file.journal()

    def fails(*_: object) -> None:
        raise RuntimeError("half-way")

    monkeypatch.setattr(file_publishing, "write_members", fails)
    with pytest.raises(RuntimeError):
        parts.udi.publish(library(stream(20), channels={2: (20,)}), force=True)
    assert everything(parts.file) == everything(parts.redis) == before
    assert parts.file.journal() == journal_before


def test_both_stores_reject_a_shrunken_library_even_when_the_file_is_new(parts: Parts, tmp_path: Path) -> None:
    parts.udi.publish(library(*map(stream, range(200)), channels={}))
    with pytest.raises(SourceError):
        parts.udi.publish(library(stream(1), channels={}))
    assert len(parts.file.library.stream_ids()) == len(parts.redis.library.stream_ids()) == 200
    elsewhere = open_udi(parts.client, tmp_path / "another home")
    with pytest.raises(SourceError):
        elsewhere.publish(library(stream(1), channels={}))
    assert len(parts.redis.library.stream_ids()) == 200


def test_concurrent_refreshes_leave_the_same_library_in_both_stores(parts: Parts) -> None:
    parts.udi.publish(library())
    udis = [parts.open() for _ in range(4)]
    libraries = [library(*(stream(i, account_id=n) for i in range(n, 60, 4)), channels={n: (n,)}) for n in range(4)]
    threads = [threading.Thread(target=u.publish, args=(each,)) for u, each in zip(udis, libraries, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert everything(parts.redis) == everything(parts.file)
    assert list(parts.redis.library.streams(parts.redis.library.stream_ids()).values()) in [
        each.streams for each in libraries
    ]


def test_a_hanging_redis_costs_one_time_out_for_all_callers(parts: Parts) -> None:
    parts.udi.publish(library())
    clients = [Redis(unix_socket_path=str(parts.server.socket), socket_timeout=0.4, retry=None) for _ in range(3)]
    udis = [open_udi(client, parts.home) for client in clients]
    parts.server.pause()
    started = time.monotonic()
    for _ in range(10):
        for udi in udis:
            assert udi.library.stream(10) == stream(10)
            udi.runs.settle("no run", result(10))
            assert parts.is_away
    elapsed = time.monotonic() - started
    # One time-out for each call would take half a minute.
    assert 0.4 <= elapsed < 4
    parts.server.go_on()


def test_the_check_whether_redis_is_back_has_a_time_out(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    parts.udi.publish(library())
    monkeypatch.setattr(fallback, "PROBE_SECONDS", 0.2)
    parts.server.pause()
    patient = open_udi(Redis(unix_socket_path=str(parts.server.socket), socket_timeout=60), parts.home)
    patient._fallback._leave(UdiUnavailable("found out by another process"))
    monkeypatch.setattr(fallback, "RECHECK_SECONDS", 0)
    started = time.monotonic()
    assert patient.library.stream(10) == stream(10)
    assert 0.2 <= time.monotonic() - started < 5
    parts.server.go_on()
    assert patient.library.stream(10) == stream(10)
    assert not parts.is_away


def test_progress_is_stored_while_redis_is_away(parts: Parts) -> None:
    parts.server.kill()
    parts.udi.progress.publish(10, {"bitrate_kbps": 5})
    assert parts.udi.progress.running() == {10: {"bitrate_kbps": 5}}
    assert parts.file.journal() == []


def test_the_file_store_works_alone(tmp_path: Path) -> None:
    udi = open_udi(None, tmp_path)
    begin_run(udi)
    finish_run(udi)
    assert udi.runs.newest() == ["next", "run"]
    assert udi.merge() == 0
    assert udi.prune() == {"runs": 0, "streams": 0}


def test_redis_works_with_a_damaged_file(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    begin_run(parts.udi)
    for file in (parts.home / "udi").glob("udi.db*"):
        file.write_bytes(b"damaged" * 1000)
    udi = open_udi(parts.client, parts.home)
    assert udi.runs.settle("run", result(11)) == [1]
    assert udi.results.latest(11) == result(11)
    assert "file store is out of date" in caplog.text
    parts.server.kill()
    with pytest.raises(UdiUnavailable):
        udi.runs.settle("run", result(12))
    with pytest.raises(UdiUnavailable):
        udi.results.latest(11)


def test_no_result_is_lost_or_doubled_when_redis_is_restarted(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "RECHECK_SECONDS", 0.02)
    parts.udi.publish(library(*map(stream, range(4)), channels={1: (0, 1, 2, 3)}))
    stop = threading.Event()
    written: dict[int, list[Result]] = {worker: [] for worker in range(4)}
    failures: list[Exception] = []

    def work(worker: int) -> None:
        udi = parts.open()
        try:
            while not stop.is_set() and len(written[worker]) < 50:
                given = result(worker, "dead", minutes=len(written[worker]))
                udi.runs.settle("no run", given)
                assert udi.results.latest(worker) == given
                udi.results.remember_dead({worker: DeadMemory(failures=len(written[worker]))})
                written[worker].append(given)
                time.sleep(0.01)
        except Exception as error:
            failures.append(error)
            raise

    workers = [threading.Thread(target=work, args=(worker,)) for worker in written]
    for each in workers:
        each.start()
    for forget in (False, True, False, True):
        time.sleep(0.1)
        parts.server.kill(forget=forget)
        time.sleep(0.1)
        parts.server.start()
    stop.set()
    for each in workers:
        each.join()
    assert not failures
    parts.udi.merge()
    for store in (parts.redis, parts.file):
        for worker, results in written.items():
            assert len(results) > 5
            assert store.results.history(worker) == results[::-1]
            assert store.results.dead_memory([worker])[worker].failures == len(results) - 1
    assert not parts.is_away


def settle_until_killed(server: RedisServer, home: Path, stream_id: int, turn: int, acknowledged: Connection) -> None:
    """Settle results, and send the minute of each after it was acknowledged."""
    udi = open_udi(server.client(), home)
    for minutes in count(turn * 10_000):
        udi.runs.settle("run", result(stream_id, "dead", minutes=minutes))
        acknowledged.send(minutes)
        if minutes % 3 == 0:
            udi.results.remember_dead({stream_id: DeadMemory(failures=minutes)})


@pytest.mark.parametrize("seed", range(3))
def test_no_result_is_lost_or_doubled_when_writers_are_killed(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(bounds, "HISTORY", 10_000)
    fork, chance = multiprocessing.get_context("fork"), Random(seed)
    parts.udi.publish(library())
    parts.udi.runs.open(planned())
    acknowledged: dict[int, list[int]] = {10: [], 11: [], 12: []}
    for turn in range(5):
        pipes = {stream_id: fork.Pipe(duplex=False) for stream_id in acknowledged}
        writers = [
            fork.Process(target=settle_until_killed, args=(parts.server, parts.home, stream_id, turn, sender))
            for stream_id, (_, sender) in pipes.items()
        ]
        for writer in writers:
            writer.start()
        time.sleep(chance.uniform(0.1, 0.3))
        if chance.random() < 0.3:
            parts.client.flushall()
        for writer in writers:
            writer.kill()
            writer.join()
        for stream_id, (receiver, _) in pipes.items():
            while receiver.poll():
                acknowledged[stream_id].append(receiver.recv())
    parts.udi.merge()
    parts.udi.merge()
    assert parts.file.journal() == []
    assert everything(parts.redis) == everything(parts.file)
    for stream_id, minutes in acknowledged.items():
        times = [past.checked_at for past in parts.redis.results.history(stream_id, 10_000)]
        assert len(minutes) > 5
        assert times == sorted(set(times), reverse=True)
        assert {NOW + timedelta(minutes=minute) for minute in minutes} <= set(times)


def test_merging_an_acknowledged_result_changes_nothing_and_sends_no_event(parts: Parts) -> None:
    parts.udi.publish(library())
    parts.udi.runs.open(planned())
    for minutes in (1, 2):
        ended = parts.open()
        ended.runs.settle("run", result(10, "ok" if minutes == 2 else "dead", minutes=minutes))
    expected, events = everything(parts.redis), parts.events(b"result")
    assert len(parts.file.journal()) == 2
    assert parts.udi.merge() == 2
    assert everything(parts.redis) == everything(parts.file) == expected
    assert parts.events(b"result") == events == 2


def test_merging_an_acknowledged_result_does_not_restore_a_replaced_version(parts: Parts) -> None:
    parts.udi.publish(library())
    parts.udi.runs.open(planned())
    ended = parts.open()
    ended.runs.settle("run", result(10, "dead"))
    parts.udi.runs.settle("run", result(10, "unknown", reason="source_unavailable"))
    parts.udi.runs.finish_channel(change(1))
    assert parts.udi.merge() == 1
    assert everything(parts.redis) == everything(parts.file)
    assert parts.redis.results.latest(10).verdict == parts.redis.runs.state("run").streams[10] == "unknown"


def test_merging_an_acknowledged_result_does_not_settle_a_reopened_run(parts: Parts) -> None:
    parts.udi.publish(library())
    parts.udi.runs.open(planned())
    ended = parts.open()
    ended.runs.settle("run", result(10))
    parts.udi.runs.open(planned())
    assert parts.udi.merge() == 1
    assert parts.redis.runs.unsettled_streams("run") == [10, 11, 12]
    assert everything(parts.redis) == everything(parts.file)


def test_each_result_takes_one_transaction_of_the_file(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    parts.udi.publish(library())
    statements: list[str] = []
    parts.udi._fallback.file._database._connection().set_trace_callback(statements.append)
    for minutes in range(3):
        parts.udi.runs.settle("no run", result(10, minutes=minutes))
    assert statements.count("COMMIT") == 3
    assert len(parts.file.journal()) == 1


OPERATIONS: list[Callable[[Random, Udi, int], object]] = [
    lambda chance, udi, turn: udi.publish(
        library(
            *(
                stream(i, name=f"in turn {turn}", url=f"http://provider/{i}/{chance.randrange(3)}")
                for i in (10, 11, 12)
            ),
            channels={1: (10, 11), 2: tuple(chance.sample((10, 11, 12), 2))},
        )
    ),
    lambda chance, udi, turn: udi.runs.open(planned(f"run {turn}", minutes=turn)),
    lambda chance, udi, turn: udi.runs.settle(
        chance.choice([*udi.runs.newest(), "no run"]),
        result(chance.choice((10, 11, 12)), chance.choice(("ok", "dead", "unknown")), minutes=turn),
    ),
    lambda chance, udi, turn: udi.runs.settle("no run", result(chance.choice((10, 11, 12)), "dead", minutes=turn)),
    lambda chance, udi, turn: udi.library.reorder(1, chance.sample((10, 11), 2)),
    lambda chance, udi, turn: udi.results.remember_dead(
        {
            stream: DeadMemory(failures=turn, removed_from={1: turn} if chance.random() < 0.5 else {})
            for stream in chance.sample((10, 11), chance.choice((1, 2)))
        }
    ),
    lambda chance, udi, turn: udi.runs.finish_channel(
        change(chance.choice((1, 2)), chance.choice([*udi.runs.newest(), "no run"]), minutes=turn)
    ),
    lambda chance, udi, turn: [udi.runs.close(run_id, {"turn": turn}, NOW) for run_id in udi.runs.newest(1)],
]


@pytest.mark.parametrize("seed", range(4))
def test_both_stores_end_with_the_same_data_when_redis_is_killed_at_any_moment(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Kill Redis during random commands, and start it again with or without its data."""
    monkeypatch.setattr(fallback, "RECHECK_SECONDS", 0.02)
    # The lock of a refresh that died with Redis comes back with the data, and excludes others for this time.
    monkeypatch.setattr(redis_publishing, "REFRESH_SECONDS", 1)
    chance, stop = Random(seed), threading.Event()

    def kill_and_start() -> None:
        moments = Random(~seed)
        while not stop.wait(moments.uniform(0.02, 0.2)):
            parts.server.kill(forget=moments.random() < 0.3)
            stop.wait(moments.uniform(0, 0.1))
            try:
                parts.server.start()
            except AssertionError:
                # It was killed while it created its file.
                parts.server.kill(forget=True)
                parts.server.start()

    killer = threading.Thread(target=kill_and_start)
    killer.start()
    try:
        parts.udi.publish(library())
        for turn in range(150):
            chance.choice(OPERATIONS)(chance, parts.udi, turn)
    finally:
        stop.set()
        killer.join()
    parts.client.ping()
    parts.udi.merge()
    assert parts.file.journal() == []
    assert not parts.is_away
    assert everything(parts.redis) == everything(parts.file)
