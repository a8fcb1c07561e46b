"""Outages over a file store: what opens and closes a circuit, and what a killed worker leaves behind."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamflow.checking.outages import Outages
from streamflow.config import Safety
from streamflow.records import Account, Result, Run
from streamflow.udi.ports import Store
from support.library import NOW, result, stored, stream
from support.memory_marks import MemoryMarks

NORTH, SOUTH = tuple(range(1, 9)), (11, 12)
ACCOUNTS = (Account(id=1, name="North", budget="north"), Account(id=2, name="South", budget="south"))
CHANNELS = {1: (1, 2, 11), 2: (3, 4, 12), 3: (5, 6, 7, 8)}
SAFETY = Safety(provider_down_least=3)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    streams = [stream(i, 1) for i in NORTH] + [stream(i, 2) for i in SOUTH]
    return stored(tmp_path, CHANNELS, accounts=ACCOUNTS, streams=streams)


def opened(store: Store, run_id: str = "run", marks: MemoryMarks | None = None) -> Outages:
    """Open a run over all streams, which all worked before."""
    shares = {1: NORTH, 2: SOUTH}
    store.runs.open(Run(
        run_id=run_id, started_at=NOW, mode="concurrent", stream_ids=(*NORTH, *SOUTH), channels=dict(CHANNELS),
        accounts=shares, alive=shares,
    ))  # fmt: skip
    return Outages(store, marks or MemoryMarks(), SAFETY, run_id)


def found(stream_id: int, reason: str | None = None, *, second: int = 0, run_id: str = "run", **fields: Any) -> Result:
    at = NOW + timedelta(seconds=second or stream_id)
    account = 2 if stream_id in SOUTH else 1
    verdict = fields.pop("verdict", "dead" if reason else "ok")
    return result(stream_id, verdict, at=at, reason=reason, run_id=run_id, account_id=account, **fields)


def verdicts(store: Store) -> dict[int, str]:
    return {stream_id: one.verdict for stream_id, one in store.results.latest_of([*NORTH, *SOUTH]).items()}


def test_first_tries_that_fail_open_the_circuit_before_any_stream_is_out_of_tries(store: Store) -> None:
    outages = opened(store)
    for stream_id in (1, 2):
        outages.suspect("north", found(stream_id, "connect_timeout"))
    assert outages.bar("north", 3, 0) == ""
    outages.suspect("north", found(3, "connect_timeout"))
    assert outages.bar("south", 11, 0) == ""
    # One try may look at once whether the failure lasts, and may ask twice; all others are barred.
    assert outages.bar("north", 1, 1) == outages.bar("north", 1, 1) == ""
    assert outages.bar("north", 1, 2).startswith("the provider is down: 3 of 3 streams")
    assert outages.bar("north", 4, 0).startswith("the provider is down: 3 of 3 streams")
    assert verdicts(store) == {}


def test_a_short_failure_of_first_tries_ends_with_the_next_try(store: Store) -> None:
    outages = opened(store)
    for stream_id in (1, 2, 3):
        outages.suspect("north", found(stream_id, "no_data"))
    assert outages.bar("north", 1, 1) == ""
    outages.settle("north", found(1, second=20))
    assert [outages.bar("north", stream_id, 1) for stream_id in (2, 3)] == ["", ""]
    outages.settle("north", found(2, "no_data", second=21))
    assert verdicts(store) == {1: "ok", 2: "dead"}


def test_refusals_for_want_of_a_connection_are_withdrawn_with_the_outage(store: Store) -> None:
    outages = opened(store)
    beside, alone = ({"failed_with": "unauthorized", "beside_others": is_beside} for is_beside in (True, False))
    outages.settle("north", found(1, "provider_busy", extra=beside, verdict="unknown"))
    outages.suspect("north", found(2, "provider_busy", extra=beside, verdict="unknown"))
    assert outages.marks.causes() == {}
    outages.suspect("north", found(3, "provider_busy", extra=alone, verdict="unknown"))
    assert outages.bar("north", 4, 0) == ""
    assert outages.bar("north", 5, 0).endswith("3 of 3 streams that worked before failed (3 unauthorized)")
    # A check that was under way is decided in the same way.
    outages.settle("north", found(6, "provider_busy", extra=beside, verdict="unknown"))
    reasons = {stream_id: one.reason for stream_id, one in store.results.latest_of(NORTH).items()}
    assert reasons == {1: "source_unavailable", 6: "source_unavailable"}


def test_a_failed_try_that_is_no_sign_of_an_outage_is_no_evidence(store: Store) -> None:
    outages = opened(store)
    for stream_id in NORTH:
        outages.suspect("north", found(stream_id, "undecodable"))
    assert outages.marks.causes() == {}


def test_an_open_circuit_withdraws_what_was_stored_before_and_finishes_the_channels(store: Store) -> None:
    outages = opened(store)
    outages.settle("south", found(11))
    ready = [outages.settle("north", found(stream_id, "http_5xx")) for stream_id in (1, 2, 3)]
    assert ready == [[], [], [1]]
    assert {verdicts(store)[stream_id] for stream_id in (1, 2, 3)} == {"unknown"}


def test_a_failure_reads_the_streams_of_its_login_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    outages, asked = opened(store), list[int]()
    latest_of = store.results.latest_of
    monkeypatch.setattr(store.results, "latest_of", lambda ids: asked.extend(ids) or latest_of(ids))
    monkeypatch.setattr(store.runs, "state", lambda run_id: pytest.fail("the whole run was read"))
    outages.settle("south", found(11, "no_data"))
    assert set(asked) == set(SOUTH)


def test_a_further_run_of_the_chain_knows_the_outage(store: Store) -> None:
    marks = MemoryMarks()
    first = opened(store, "first", marks)
    for stream_id in (1, 2, 3):
        first.settle("north", found(stream_id, "http_5xx", run_id="first"))
    second = opened(store, "first__part2", marks)
    assert second.bar("north", 4, 0)
    marks.wait()
    assert second.bar("north", 5, 0) == ""
    second.settle("north", found(5, "http_5xx", run_id="first__part2"))
    assert verdicts(store)[5] == "unknown"
    assert second.bar("north", 6, 0)
    marks.wait()
    assert second.bar("north", 7, 0) == ""
    second.settle("north", found(7, run_id="first__part2"))
    assert second.bar("north", 8, 0) == ""


@pytest.mark.parametrize("is_marked", [False, True])
def test_a_failure_whose_worker_was_killed_is_withdrawn_at_the_end_of_the_run(store: Store, is_marked: bool) -> None:
    outages = opened(store)
    for stream_id in (1, 2, 3, 4):
        store.runs.settle("run", found(stream_id, "http_5xx"))
    if is_marked:
        outages.marks.mark("north", "the provider is down: 3 of 3")
    store.runs.settle("run", found(11, "http_404"))
    outages.conclude()
    assert verdicts(store) == {1: "unknown", 2: "unknown", 3: "unknown", 4: "unknown", 11: "dead"}


def test_a_few_failures_at_the_end_of_a_run_stay(store: Store) -> None:
    outages = opened(store)
    for stream_id in NORTH:
        outages.settle("north", found(stream_id, "no_data" if stream_id > 6 else None))
    outages.conclude()
    assert {stream_id for stream_id, verdict in verdicts(store).items() if verdict == "dead"} == {7, 8}
