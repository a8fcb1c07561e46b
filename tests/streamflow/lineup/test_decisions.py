from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from streamflow.lineup.decisions import decide, decisions, note_edits
from streamflow.records import DeadMemory, Decision
from support.library import NOW, stored, stream

REJECTED = Decision(state="rejected", at=NOW)


def test_a_decision_is_about_one_channel(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1], 2: [2]}, streams=map(stream, (1, 2, 3)))
    decide(store, {(1, 3): REJECTED, (2, 3): Decision(state="proposed", at=NOW, why="the name fits")})
    assert decisions(store)[1, 3].keeps_out
    assert not decisions(store)[2, 3].keeps_out
    decide(store, {(1, 3): None})
    assert list(decisions(store)) == [(2, 3)]


def test_a_decision_leaves_the_failures_of_the_stream(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1]})
    store.results.remember_dead({1: DeadMemory(failures=3, removed_from={1: 0, 2: 4})})
    decide(store, {(1, 1): REJECTED})
    assert store.results.dead_memory([1])[1].removed_from == {1: 0, 2: 4}
    decide(store, {(1, 1): REJECTED}, forget_removal=True)
    memory = store.results.dead_memory([1])[1]
    assert (memory.failures, memory.removed_from) == (3, {2: 4})


def test_a_stream_that_a_person_takes_out_is_noted_and_forgotten_when_it_is_put_back(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2, 3], 2: [2]})
    former = store.library.channels()
    assert list(note_edits(store, former, {1: (3, 1), 2: (2,)})) == [(1, 2)]
    assert decisions(store)[1, 2].state == "taken_out"
    assert note_edits(store, former, {1: (3, 2, 1), 2: (2,)}) == {}
    assert decisions(store) == {}


def test_streams_that_the_policy_removed_or_that_left_the_library_were_not_taken_out(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2, 3]}, streams=map(stream, (1, 2)))
    store.results.remember_dead({2: DeadMemory(removed_from={1: 1})})
    assert note_edits(store, store.library.channels(), {1: (1,)}) == {}


def test_a_channel_that_is_gone_tells_nothing(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2]})
    assert note_edits(store, store.library.channels(), {}) == {}


def test_decisions_about_streams_that_are_gone_for_long_are_forgotten(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1]})
    recent = REJECTED.model_copy(update={"at": datetime.now(UTC) - timedelta(days=1)})
    decide(store, {(1, 98): REJECTED, (1, 99): recent})
    note_edits(store, [], {1: (1,)})
    assert list(decisions(store)) == [(1, 99)]
