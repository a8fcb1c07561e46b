"""The check of a stream as a task, with a real Redis and the lab's servers, but without Airflow's runtime."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from redis import Redis

from account_limiter import Limiter, LimiterOutdated, LimiterUnavailable, connect
from account_limiter.redis.library import LAYOUT, library
from lab import Account, Behaviour, Channel, Group, Lab, Library, Media, Stream, running
from stream_tasks import check, limits, resources
from stream_tasks.absence import Absence
from stream_tasks.check import CheckStream
from stream_tasks.finish import finish_run, summarise
from stream_tasks.plan import leftover, plan
from streamflow import config, records, thumbnails
from streamflow.checking import run_results
from streamflow.checking.slates import RedisSlates
from streamflow.checking.tries import BUSY_TRIES
from streamflow.homes import Homes
from streamflow.udi import Udi, open_udi

CLIP = "sd480p30"
LIBRARY = Library(
    [
        Account(1, "North", "north", "secret-n", max_streams=1, refusal="458"),
        Account(2, "South", "south", "secret-s", max_streams=0),
        Account(3, "East", "east", "secret-e", max_streams=1, is_active=False),
        Account(4, "West", "west", "secret-w", max_streams=2, refusal="slate"),
    ],
    [
        Stream(1, "One", 2, behaviour=Behaviour("status", status=404)),
        Stream(2, "One backup", 2, clip=CLIP),
        Stream(3, "Two", 1, clip=CLIP),
        Stream(4, "Two gone", 1, behaviour=Behaviour("status", status=500)),
        Stream(5, "Wave", 2, clip="radio_aac"),
        Stream(6, "Three", 4, clip=CLIP),
    ],
    [Channel(1, 1.0, "One", 10, (1, 2)), Channel(2, 2.0, "Two", 10, (3, 4)), Channel(3, 3.0, "Wave", 20, (5,))],
    [Group(10, "News"), Group(20, "Radio")],
)
PARAMS = {
    "channel_ids": None, "group_ids": None, "account_ids": None, "stream_ids": None, "force": False, "mode": "auto",
    "sample_seconds": 1.0, "write_back": True, "chain": None,
}  # fmt: skip
RUN = "a run"


@pytest.fixture(scope="module")
def provider(lab_media: Media) -> Iterator[Lab]:
    with running(LIBRARY, lab_media) as lab:
        for stream in LIBRARY.streams:
            lab.url(stream)
        yield lab


@pytest.fixture
def home(task_home: Path, provider: Lab) -> Path:
    """A home in which nobody watches."""
    watch(provider)
    return task_home


@pytest.fixture
def store(home: Path, redis_client: Redis) -> Udi:
    return open_udi(redis_client, home)


def watch(provider: Lab, *profiles: int) -> None:
    """Let people watch a channel of each of the profiles."""
    channels = [{"channel_id": str(n), "state": "active", "m3u_profile_id": p} for n, p in enumerate(profiles)]
    httpx.post(f"{provider.dispatcharr}/lab/viewers", json={"channels": channels}).raise_for_status()


RETRIES = 2


def context(*, tried: int = 0, cleared: bool = False, **params: Any) -> Any:
    """Return the context of a task.

    :param tried: the number of earlier tries, whose processes were lost.
    :param cleared: a user has cleared the task since.
    """
    ti = SimpleNamespace(
        id=uuid.uuid4(),
        dag_id="check_streams",
        run_id=RUN,
        map_index=0,
        start_date=datetime.now(UTC),
        try_number=tried + 1,
        max_tries=RETRIES + (tried if cleared else 0),
    )
    return {"ti": ti, "run_id": RUN, "params": PARAMS | params}


def run_check(stream_id: int, *, sequential: bool = False, radio: bool = False, **params: Any) -> CheckStream:
    task = CheckStream(task_id="check", stream_id=stream_id, radio=radio, sequential=sequential, retries=RETRIES)
    task.execute(context(**params))
    return task


def test_a_retry_after_the_result_was_kept_probes_no_second_time(home: Path, store: Udi, provider: Lab) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    run_check(3)
    known, opened = store.results.latest(3), provider.record()["global"]["total"]
    run_check(3, tried=1)
    assert provider.record()["global"]["total"] == opened
    assert store.results.history(3) == [known]


def window(seconds: float, **fields: Any) -> dict[str, Any]:
    return {"until": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(), **fields}


def test_after_the_window_no_check_starts_and_the_rest_is_skipped(home: Path, store: Udi, provider: Lab) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    opened = provider.record()["global"]["total"]
    task = CheckStream(task_id="check", stream_id=3, retries=RETRIES)
    closed = context(window=window(-1))
    for step in (task.execute, partial(task.resume, event={"status": "granted", "rank": ""}), task.try_again):
        with pytest.raises(AirflowSkipException):
            step(closed)
    assert provider.record()["global"]["total"] == opened
    assert leftover(RUN, {"window": window(60)})
    assert leftover(RUN, closed["params"]) == []
    state = store.runs.state(RUN)
    assert state
    assert set(state.streams.values()) == {"skipped"}
    assert set(state.reasons) == {"window_closed"}
    assert store.results.latest(3) is None


def test_a_wait_for_a_slot_ends_with_the_window(home: Path) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    until = window(60)
    with pytest.raises(TaskDeferred) as deferred:
        run_check(4, window=until)
    trigger = deferred.value.trigger
    assert trigger.deadline == datetime.fromisoformat(until["until"]).timestamp()


def test_people_who_watch_pause_a_run_between_two_checks(
    home: Path, store: Udi, provider: Lab, redis_client: Redis
) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    watch(provider, 40)
    with pytest.raises(TaskDeferred) as deferred:
        run_check(3, window={"viewers_below": 1})
    assert deferred.value.trigger.delay >= 60
    assert (Limiter(redis_client).snapshot().active, store.results.latest(3)) == (0, None)
    watch(provider)
    redis_client.delete(limits._TOTAL)
    run_check(3, window={"viewers_below": 1})
    assert store.results.latest(3)


def test_a_check_that_a_user_cleared_probes_again(home: Path, store: Udi, provider: Lab) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    run_check(3)
    run_check(3, tried=1, cleared=True)
    assert len(store.results.history(3)) == 2


def test_a_fresh_result_of_another_run_is_taken_over_unless_forced(home: Path, store: Udi, provider: Lab) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    plan(PARAMS | {"channel_ids": [2]}, "another run")
    run_check(3)
    opened = provider.record()["global"]["total"]
    CheckStream(task_id="check", stream_id=3).execute(context() | {"run_id": "another run"})
    assert provider.record()["global"]["total"] == opened
    state = store.runs.state("another run")
    assert state and state.streams[3] == "ok"
    CheckStream(task_id="check", stream_id=3).execute(context(force=True) | {"run_id": "another run"})
    assert provider.record()["global"]["total"] == opened + 1


def test_a_web_page_is_skipped_without_a_connection(home: Path, store: Udi, provider: Lab) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    task = CheckStream(task_id="check", stream_id=3, retries=RETRIES)
    assert task.subject.stream
    task.subject = replace(task.subject, stream=task.subject.stream.model_copy(update={"is_page": True}))
    opened = provider.record()["global"]["total"]
    task.execute(context())
    assert provider.record()["global"]["total"] == opened
    latest = store.results.latest(3)
    assert latest and (latest.verdict, latest.reason) == ("skipped", "not_probeable")


def order(provider: Lab, channel_id: int) -> list[int]:
    return list(provider.servers.dispatcharr.state.channels[channel_id]["streams"])


def test_a_channel_is_finished_by_the_check_of_its_last_stream(home: Path, store: Udi, provider: Lab) -> None:
    assert plan(PARAMS | {"channel_ids": [1]}, RUN) == [{"stream_id": 1}, {"stream_id": 2}]
    run_check(1)
    assert order(provider, 1) == [1, 2]
    assert run_check(2).stream_label == "One backup · South"
    assert order(provider, 1) == [2, 1]
    results = store.results.latest_of([1, 2])
    assert (results[1].verdict, results[1].reason) == ("dead", "http_404")
    assert (results[2].verdict, results[2].height, results[2].run_id) == ("ok", 480, RUN)
    assert results[2].score and results[2].score > 0
    assert thumbnails.load(home, 2)
    stats = provider.servers.dispatcharr.state.streams[2]["stream_stats"]
    assert (stats["resolution"], stats["streamflow_verdict"]) == (f"{results[2].width}x480", "ok")
    assert finish_run(RUN, {}, write_back=True) == []
    summary = summarise(RUN, PARAMS)
    assert summary["verdicts"] == {"dead": 1, "ok": 1}
    assert (summary["channels"], summary["channels_changed"]) == (1, 1)


def test_a_long_label_fits_into_the_column_of_airflow(home: Path, store: Udi) -> None:
    task = CheckStream(task_id="check", stream_id=3)
    stream, account = records.Stream(id=3, name="s" * 400), records.Account(id=1, name="a" * 400)
    task.subject = replace(task.subject, stream=stream, account=account)
    assert len(task.stream_label) == 250


def test_the_slot_is_released_before_the_channel_is_written(
    home: Path, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    def finish_and_look(*args: Any, **options: Any) -> None:
        held.append(Limiter(redis_client).snapshot().active)
        finish_ready(*args, **options)

    finish_ready = run_results.finish_ready
    monkeypatch.setattr(run_results, "finish_ready", finish_and_look)
    plan(PARAMS | {"stream_ids": [3]}, RUN)
    run_check(3)
    assert held == [0]


def test_the_last_try_at_a_full_provider_is_reported_to_the_limiter_too(
    home: Path, store: Udi, redis_client: Redis, provider: Lab
) -> None:
    plan(PARAMS | {"stream_ids": [3]}, RUN)
    task, last = CheckStream(task_id="check", stream_id=3), {"attempts": BUSY_TRIES - 1, "busy": BUSY_TRIES - 1}
    with httpx.stream("GET", provider.url(LIBRARY.streams[2])):
        task.resume(context(), {"status": "granted", "reason": "", "rank": ""}, last)
    result = store.results.latest(3)
    (login,) = (one for one in Limiter(redis_client).snapshot().budgets if one.refusals)
    assert result and result.reason == "provider_busy"
    assert login.refusals == 1


def test_a_slate_of_a_full_account_is_tried_again_unless_it_is_known(
    home: Path, store: Udi, provider: Lab, redis_client: Redis
) -> None:
    plan(PARAMS | {"stream_ids": [6]}, RUN)
    url = provider.url(LIBRARY.streams[5])
    with httpx.stream("GET", url), httpx.stream("GET", url):
        run_check(6, sample_seconds=3.0)
        assert store.results.latest(6).reason == "frozen_video"
        assert len(RedisSlates(redis_client).known(4)) == 1
        watch(provider, 40)
        redis_client.delete(limits._COUNT)
        run_check(6, sample_seconds=3.0)
        assert store.results.latest(6).reason == "frozen_video"
        redis_client.delete("{streamflow}:slates:4")
        with pytest.raises(TaskDeferred) as deferred:
            run_check(6, sample_seconds=3.0)
    assert deferred.value.kwargs["state"]["tries"][0]["reason"] == "provider_busy"


@pytest.mark.parametrize(("is_limit", "allowed", "refusals"), [(True, 1, 1), (False, 2, 0)])
def test_a_slate_was_a_refusal_if_the_picture_moves_with_fewer_connections(
    home: Path, store: Udi, provider: Lab, redis_client: Redis, is_limit: bool, allowed: int, refusals: int
) -> None:
    (home / "stream_checker_config.json").write_text('{"probe": {"retry_delay": 0, "sample_seconds": 3}}')
    plan(PARAMS | {"stream_ids": [6]}, RUN)
    task, mine, url = (
        CheckStream(task_id="check", stream_id=6),
        context(sample_seconds=None),
        provider.url(LIBRARY.streams[5]),
    )
    with ExitStack() as others:
        for _ in range(2):
            others.enter_context(httpx.stream("GET", url))
        watch(provider, 40)
        with pytest.raises(TaskDeferred) as deferred:
            task.execute(mine)
        assert login_of(redis_client, 4) == (0, 0), "it is held down, but nothing is said of it yet"
        watch(provider)
        redis_client.delete(limits._COUNT)
        if is_limit:
            others.close()
        task.resume(mine, {"status": "granted", "reason": "", "rank": ""}, deferred.value.kwargs["state"])
    assert store.results.latest(6).reason == (None if is_limit else "frozen_video")
    assert login_of(redis_client, 4) == (allowed, refusals)


def login_of(redis: Redis, account_id: int) -> tuple[int | None, int]:
    """Return the slots that the account gives to checks, and the number of refused connections of its login."""
    snapshot = Limiter(redis).snapshot()
    (account,) = (one for one in snapshot.accounts if one.account_id == account_id)
    return account.effective_limit, sum(one.refusals for one in snapshot.budgets if one.budget_id in account.budgets)


def test_without_write_back_dispatcharr_is_not_changed(home: Path, store: Udi, provider: Lab) -> None:
    plan(PARAMS | {"channel_ids": [1]}, RUN)
    writes = provider.servers.dispatcharr.state.writes
    for stream_id in (1, 2):
        run_check(stream_id, write_back=False)
    change = next(iter(store.runs.changes(1, 1)), None)
    assert change and (change.after, change.written) == ((2, 1), False)
    assert (order(provider, 1), provider.servers.dispatcharr.state.writes) == ([1, 2], writes)


def test_a_full_account_defers_and_its_retries_hold_no_slot(home: Path, redis_client: Redis) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    with pytest.raises(TaskDeferred) as deferred:
        run_check(4)
    assert deferred.value.trigger.delay > 0
    assert deferred.value.kwargs["state"]["tries"][0]["reason"] == "http_5xx"
    snapshot = Limiter(redis_client).snapshot()
    assert (snapshot.active, snapshot.waiting) == (0, 0)


def test_a_check_waits_while_a_viewer_uses_the_only_connection(home: Path, provider: Lab, redis_client: Redis) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    watch(provider, 10)
    before = provider.account_record(1)["total"]
    task, mine = CheckStream(task_id="check", stream_id=3), context()
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(mine)
    assert provider.account_record(1)["total"] == before
    watch(provider)
    redis_client.delete(limits._COUNT)
    task.resume(mine, {"status": "granted", "reason": "", "rank": deferred.value.trigger.rank})
    assert provider.account_record(1)["total"] == before + 1


def test_radio_needs_no_picture(home: Path, store: Udi) -> None:
    (arguments,) = plan(PARAMS | {"channel_ids": [3]}, RUN)
    assert arguments == {"stream_id": 5, "radio": True}
    run_check(**arguments)
    result = store.results.latest(5)
    assert result and result.verdict == "ok"


def test_no_slot_for_an_inactive_account_is_a_skip(home: Path, store: Udi, redis_client: Redis) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    inactive = [account.model_copy(update={"is_active": False}) for account in store.library.accounts()]
    library = SimpleNamespace(accounts=lambda: inactive)
    limits.configure(Limiter(redis_client), SimpleNamespace(library=library), config.load())  # type: ignore[arg-type]
    run_check(3)
    result = store.results.latest(3)
    assert result and (result.verdict, result.reason) == ("skipped", "account_inactive")


def test_a_limiter_that_lost_the_accounts_is_configured_again(home: Path, store: Udi, redis_client: Redis) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    Limiter(redis_client).configure(accounts=[])
    run_check(3)
    result = store.results.latest(3)
    assert result and result.verdict == "ok"


@pytest.fixture
def without_redis(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same home after Redis went away, for longer than a lease lives."""
    monkeypatch.setattr(Absence, "note", lambda _: 60.0)
    monkeypatch.setattr(resources, "connect", lambda: connect(unix_socket_path=str(home / "nowhere")))
    return home


def test_without_redis_a_run_is_planned_and_checked_one_after_another(
    store: Udi, without_redis: Path, provider: Lab
) -> None:
    assert plan(PARAMS | {"channel_ids": [1]}, RUN) == []
    assert leftover(RUN, {}) == [{"stream_id": 1}, {"stream_id": 2}]
    for stream_id in (1, 2):
        run_check(stream_id, sequential=True)
    assert order(provider, 1) == [2, 1]
    assert store.runs.state(RUN).run.mode == "sequential"  # type: ignore[union-attr]


def test_without_redis_nothing_is_checked_where_other_machines_may_hold_slots(
    store: Udi, home: Path, redis_client: Redis, monkeypatch: pytest.MonkeyPatch, provider: Lab
) -> None:
    plan(PARAMS | {"channel_ids": [1]}, RUN)
    other = Homes(redis_client, home / "other")
    other.report(other.now(), serves=False)
    Homes(redis_client, home).report(other.now(), serves=False)
    monkeypatch.setattr(Absence, "note", lambda _: 60.0)
    monkeypatch.setattr(resources, "connect", lambda: connect(unix_socket_path=str(home / "nowhere")))
    with pytest.raises(LimiterUnavailable):
        run_check(1, sequential=True)


def test_streams_without_a_result_are_left_to_the_sequential_checks(store: Udi, home: Path, monkeypatch: Any) -> None:
    plan(PARAMS | {"channel_ids": [1]}, RUN)
    run_check(1)
    monkeypatch.setattr(resources, "connect", lambda: connect(unix_socket_path=str(home / "nowhere")))
    monkeypatch.setattr(check, "PATIENCE_SECONDS", 0.0)
    run_check(2)
    assert leftover(RUN, {}) == [{"stream_id": 2}]


def test_after_an_absence_of_redis_of_45_seconds_the_rest_of_the_run_is_concurrent_again(
    store: Udi, home: Path, redis_client: Redis, monkeypatch: Any
) -> None:
    plan(PARAMS | {"channel_ids": [1]}, RUN)
    present = resources.connect
    monkeypatch.setattr(resources, "connect", lambda: connect(unix_socket_path=str(home / "nowhere")))

    def look(waiting: dict[str, Any]) -> None:
        task = CheckStream(task_id="check", stream_id=1, retries=RETRIES)
        task.try_again(context(), **waiting) if waiting else task.execute(context())

    waiting: dict[str, Any] = {}
    for second in range(0, 45, 5):
        with pytest.raises(TaskDeferred) as deferred:
            look(waiting)
        assert deferred.value.method_name == "try_again", second
        waiting = dict(deferred.value.kwargs or {})
        # The pause before the next look.
        waiting["since"] -= 5
    monkeypatch.setattr(resources, "connect", present)
    look(waiting)
    result = store.results.latest(1)
    assert result and (result.run_id, result.reason) == (RUN, "http_404")
    assert leftover(RUN, {}) == [{"stream_id": 2}]


def test_a_sequential_check_defers_its_retry_and_yields_to_viewers(without_redis: Path, provider: Lab) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    with pytest.raises(TaskDeferred) as deferred:
        run_check(4, sequential=True)
    assert deferred.value.method_name == "try_again"
    watch(provider, 10)
    run_check(3, sequential=True)
    result = open_udi(None, without_redis).results.latest(3)
    assert result and (result.verdict, result.reason) == ("unknown", "slot_timeout")


def test_the_run_settles_a_lost_check_and_finishes_its_channel(home: Path, store: Udi) -> None:
    plan(PARAMS | {"channel_ids": [1]}, RUN)
    run_check(2)
    assert finish_run(RUN, {}, write_back=True) == [1]
    result = store.results.latest(1)
    assert result and (result.verdict, result.reason, result.account_id) == ("unknown", "internal_error", 2)


def test_a_run_whose_plan_failed_has_no_summary_and_is_not_tried_again(home: Path) -> None:
    assert finish_run("never planned", {}, write_back=True) == []
    with pytest.raises(AirflowFailException, match="its plan failed"):
        summarise("never planned", PARAMS)


def test_a_version_that_a_newer_one_has_replaced_checks_nothing(home: Path, redis_client: Redis, provider: Lab) -> None:
    plan(PARAMS | {"channel_ids": [2]}, RUN)
    redis_client.hset(library().keys["layout"], "layout", LAYOUT + 1)
    opened = provider.record()["global"]["total"]
    for sequential in (False, True):
        with pytest.raises(LimiterOutdated, match="a newer version"):
            run_check(3, sequential=sequential)
    assert provider.record()["global"]["total"] == opened
