"""The overview: health of channels, and what waits for a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis import Redis

from account_limiter import Limiter
from stream_checker.queries.dag_runs import DagStates
from stream_checker.queries.overview import Overview, overview
from stream_checker.queries.result_index import ResultIndex
from stream_checker.queries.run_outcomes import RunOutcomes
from streamflow import names
from streamflow.config import Config
from streamflow.records import ChannelChange, Event, Move, Run
from streamflow.reports.late_events import LateEvent, LateEvents
from streamflow.udi.ports import Store
from support.library import NOW, result, stored

NOBODY = DagStates()


def shown(
    store: Store, redis: Redis, airflow: DagStates = NOBODY, results: ResultIndex | None = None, **settings: Any
) -> Overview:
    index = results or ResultIndex()
    return overview(store, Config.model_validate(settings), index, RunOutcomes(), Limiter(redis), airflow, redis)


def test_channels_are_whole_weak_dark_or_undecided(tmp_path: Path, redis_client: Redis) -> None:
    store = stored(tmp_path, {1: [1, 2], 2: [3, 4], 3: [5, 6], 4: [7, 8], 5: []})
    dead = {"verdict": "dead", "reason": "no_data"}
    black = {"verdict": "degraded", "reason": "black_video"}
    quiet = {"verdict": "degraded", "reason": "silent_audio"}
    for one, fields in enumerate(({}, quiet, {}, dead, dead, black, dead), start=1):
        store.runs.settle("no run", result(one, **fields))
    found = shown(store, redis_client)
    # A black stream shows nothing; stream 8 was not checked.
    assert found.channels == {"whole": 1, "weak": 1, "dark": 1, "undecided": 2}
    assert [(one.name, one.usable, one.streams) for one in found.dark] == [("channel 3", 0, 2)]
    assert [(one.name, one.usable, one.streams) for one in found.weak] == [("channel 2", 1, 2)]
    assert [(one.name, one.working, one.decided) for one in found.providers] == [("one", 3, 7)]


def test_an_outage_shows_the_last_known_state_with_its_age(tmp_path: Path, redis_client: Redis) -> None:
    store, results = stored(tmp_path, {1: [1, 2], 2: [3], 3: [4]}), ResultIndex(max_age=0)
    for one, fields in ((1, {}), (2, {"verdict": "dead"}), (3, {"verdict": "dead"})):
        store.runs.settle("no run", result(one, **fields))
    before = shown(store, redis_client, results=results)
    down = {"verdict": "unknown", "reason": "source_unavailable"}
    for one in (1, 2, 3):
        store.runs.settle("no run", result(one, at=NOW + timedelta(days=1), **down))
    found = shown(store, redis_client, results=results)
    assert found.channels == before.channels == {"whole": 0, "weak": 1, "dark": 1, "undecided": 1}
    assert [(one.working, one.decided, one.undecided, one.as_of) for one in before.providers] == [(1, 3, 0, None)]
    assert [(one.working, one.decided, one.undecided, one.as_of) for one in found.providers] == [(1, 3, 3, NOW)]


def test_a_withdrawn_verdict_is_not_shown_any_more(tmp_path: Path, redis_client: Redis) -> None:
    store, results = stored(tmp_path, {1: [1]}), ResultIndex(max_age=0)
    store.runs.settle("no run", result(1, at=NOW - timedelta(days=1)))
    store.runs.settle("no run", result(1, "dead", reason="http_5xx"))
    assert shown(store, redis_client, results=results).channels["dark"] == 1
    store.runs.settle("no run", result(1, "unknown", reason="source_unavailable"))
    assert shown(store, redis_client, results=results).channels["whole"] == 1
    assert results.current(store)[1].reason == "source_unavailable"


def test_late_events_and_the_time_zone_are_told(tmp_path: Path, redis_client: Redis) -> None:
    store, now = stored(tmp_path, {1: [1]}), datetime.now(UTC)
    event = Event(kind="recording", channel_id=1, starts_at=now, title="Derby")
    late = [LateEvent(event=event, found_at=now - timedelta(hours=hours), seconds=40) for hours in (25, 1)]
    for one in late:
        LateEvents(redis_client).add(one)
    found = shown(store, redis_client, schedule={"timezone": "Europe/Berlin"})
    assert (found.late_events, found.timezone) == ([late[1]], "Europe/Berlin")


def test_a_scheduled_run_that_may_not_write_asks_for_consent(tmp_path: Path, redis_client: Redis) -> None:
    store, now = stored(tmp_path, {1: [1, 2]}), datetime.now(UTC)
    run = Run(
        run_id=f"{names.SCHEDULED_RUN}night__1",
        started_at=now,
        mode="concurrent",
        stream_ids=(1, 2),
        channels={1: (1, 2)},
    )
    store.runs.open(run)
    assert not shown(store, redis_client).asks_to_write
    move = Move(stream_id=2, before=1, after=0, why="score 0.900")
    change = ChannelChange(channel_id=1, run_id=run.run_id, at=now, before=(1, 2), after=(2, 1), moves=(move,))
    store.runs.finish_channel(change)
    found = shown(store, redis_client)
    assert (found.asks_to_write, [one.written for one in found.changes]) == (True, [False])
    assert not shown(store, redis_client, safety={"scheduled_write_back": "always"}).asks_to_write
    store.runs.finish_channel(change.model_copy(update={"held": (1,)}))
    assert [one.name for one in shown(store, redis_client).held] == ["channel 1"]


def test_what_airflow_knows_is_passed_on(tmp_path: Path, redis_client: Redis) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    found = shown(stored(tmp_path, {1: [1]}), redis_client, DagStates(True, at, "night", at))
    assert (found.paused, found.next_check, found.next_schedule, found.refresh_failed_at) == (True, at, "night", at)
