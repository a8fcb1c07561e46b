from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamflow.config import Config
from streamflow.errors import UnknownRecord
from streamflow.planning.params import CheckParams
from streamflow.planning.plan import Request, plan
from streamflow.records import Account, Channel, ChannelChange, DeadMemory, Group, Playback, Run
from streamflow.udi.ports import Store
from streamflow.udi.snapshot import Snapshot
from streamflow.udi.sqlite.store import FileStore
from support.library import NOW, result, stored, stream


def planned(
    store: Store, settings: Config | None = None, *, redis_up: bool = True, since: Any = None, **params: Any
) -> Run:
    request = Request("run", CheckParams(**params), NOW, since=since, redis_up=redis_up)
    return plan(store, settings or Config(), request)


def test_everything_is_checked_without_filters_and_a_shared_stream_once(tmp_path: Path) -> None:
    run = planned(stored(tmp_path, {1: [1, 2], 2: [2, 3]}))
    assert sorted(run.stream_ids) == [1, 2, 3]
    assert run.channels == {1: (1, 2), 2: (2, 3)}
    assert (run.mode, run.remaining) == ("concurrent", 0)


@pytest.mark.parametrize(
    ("params", "streams", "channels"),
    [
        ({"channel_ids": [2]}, [3, 4], [2]),
        ({"group_ids": [10]}, [1, 2], [1]),
        ({"channel_ids": [1, 2], "group_ids": [20]}, [3, 4], [2]),
        ({"account_ids": [2]}, [2, 4], [1, 2]),
        ({"stream_ids": [4]}, [4], [2]),
    ],
)
def test_filters_narrow_the_run(
    tmp_path: Path, params: dict[str, Any], streams: list[int], channels: list[int]
) -> None:
    accounts = [Account(id=1, name="one"), Account(id=2, name="two")]
    known = [stream(i, account_id=1 + (i % 2 == 0)) for i in (1, 2, 3, 4)]
    run = planned(stored(tmp_path, {1: [1, 2], 2: [3, 4]}, accounts=accounts, streams=known), **params)
    assert sorted(run.stream_ids) == streams
    assert sorted(run.channels) == channels


@pytest.mark.parametrize("field", ["channel_ids", "group_ids", "account_ids", "stream_ids"])
def test_an_empty_list_of_ids_selects_nothing(tmp_path: Path, field: str) -> None:
    run = planned(stored(tmp_path, {1: [1, 2]}), **{field: []})
    assert (run.stream_ids, run.channels, run.skipped, run.remaining) == ((), {}, {}, 0)


def test_a_stream_of_no_channel_is_checked_only_when_it_is_named(tmp_path: Path) -> None:
    accounts = [Account(id=1, name="one"), Account(id=2, name="two")]
    store = stored(tmp_path, {1: [1]}, accounts=accounts, streams=[stream(1), stream(2)])
    assert planned(store).stream_ids == (1,)
    run = planned(store, stream_ids=[2])
    assert (run.stream_ids, run.channels) == ((2,), {})
    assert planned(store, stream_ids=[2], account_ids=[2]).stream_ids == ()
    assert planned(store, stream_ids=[2], channel_ids=[1]).stream_ids == ()


def test_a_hidden_channel_is_checked_only_when_it_is_named_or_streamflow_hid_it(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "udi.db")
    channels = [Channel(id=i, name=f"channel {i}", stream_ids=(i,), is_hidden=i > 1) for i in (1, 2, 3)]
    store.publish(
        Snapshot(
            accounts=[Account(id=1, name="one")],
            groups=[],
            streams=[stream(i) for i in (1, 2, 3)],
            channels=channels,
        )
    )
    store.runs.finish_channel(ChannelChange(channel_id=3, at=NOW, before=(3,), after=(3,), written=True, hidden=True))
    assert sorted(planned(store).channels) == [1, 3]
    assert planned(store, channel_ids=[2]).stream_ids == (2,)
    assert planned(store, stream_ids=[2]).stream_ids == (2,)


def test_streams_of_channels_and_groups_that_are_radio_are_marked(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "udi.db")
    store.publish(
        Snapshot(
            accounts=[Account(id=1, name="one")],
            groups=[Group(id=1, name="News"), Group(id=2, name="UK Radio")],
            streams=[stream(1), stream(2), stream(3)],
            channels=[
                Channel(id=1, name="Das Erste", group_id=1, stream_ids=(1,)),
                Channel(id=2, name="Radio Eins", group_id=1, stream_ids=(2,)),
                Channel(id=3, name="Six Music", group_id=2, stream_ids=(3,)),
            ],
        )
    )
    assert sorted(planned(store).radio_stream_ids) == [2, 3]


def test_a_run_of_an_earlier_version_is_read() -> None:
    stored_run = Run(run_id="run", started_at=NOW, mode="concurrent", stream_ids=(1,), channels={}).model_dump()
    del stored_run["radio_stream_ids"]
    assert Run.model_validate(stored_run).radio_stream_ids == ()


@pytest.mark.parametrize("field", ["channel_ids", "group_ids", "account_ids", "stream_ids"])
def test_an_unknown_id_is_an_error_that_names_its_field(tmp_path: Path, field: str) -> None:
    with pytest.raises(UnknownRecord, match=rf"^{field}: .*99.*refresh_udi"):
        planned(stored(tmp_path, {1: [1]}), **{field: [99]})


def test_fresh_streams_are_skipped_unless_forced_or_changed(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2, 3, 4]})
    store.runs.settle("no run", result(1, at=NOW - timedelta(hours=19)))
    store.runs.settle("no run", result(2, at=NOW - timedelta(hours=21)))
    store.runs.settle("no run", result(3, "unknown", at=NOW))
    store.runs.settle("no run", result(4, url_hash="of its former URL"))
    run = planned(store)
    assert sorted(run.stream_ids) == [2, 3, 4]
    assert run.skipped == {1: "fresh"}
    assert sorted(planned(store, force=True).stream_ids) == [1, 2, 3, 4]


EXCLUDED = Config.model_validate({"policies": [{"match": {"groups": ["group 1"]}, "check": False}]})


def test_channels_that_a_policy_excludes_are_left_alone(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2], 2: [2, 3]})
    run = planned(store, EXCLUDED, force=True)
    # Stream 2 is checked for channel 2, and channel 1 is not ordered by it.
    assert sorted(run.stream_ids) == [2, 3]
    assert run.channels == {2: (2, 3)}
    assert run.skipped == {1: "excluded"}


def test_an_excluded_stream_is_skipped_even_if_it_is_named(tmp_path: Path) -> None:
    run = planned(stored(tmp_path, {1: [1]}), EXCLUDED, stream_ids=[1])
    assert (run.stream_ids, run.channels, run.skipped) == ((), {}, {1: "excluded"})


@pytest.mark.parametrize(
    ("failures", "hours", "due"),
    [(1, 19, False), (1, 21, True), (2, 39, False), (2, 41, True), (9, 167, False), (9, 169, True)],
)
def test_the_pause_of_a_dead_stream_doubles_with_each_failure(
    tmp_path: Path, failures: int, hours: int, due: bool
) -> None:
    store = stored(tmp_path, {1: [1]})
    store.runs.settle("no run", result(1, "dead", at=NOW - timedelta(hours=hours)))
    store.results.remember_dead({1: DeadMemory(failures=failures)})
    assert bool(planned(store).stream_ids) is due
    assert planned(store, force=True).stream_ids == (1,)


def test_a_new_url_ends_the_pause_of_a_dead_stream(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1]})
    store.runs.settle("no run", result(1, "dead", at=NOW, url_hash="of its former URL"))
    store.results.remember_dead({1: DeadMemory(failures=9)})
    assert planned(store).stream_ids == (1,)


def test_a_refresh_that_brings_a_dead_stream_back_ends_its_pause_once(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1]})
    store.runs.settle("no run", result(1, "dead", at=NOW - timedelta(hours=3)))
    store.results.remember_dead({1: DeadMemory(failures=9, returned_at=NOW - timedelta(hours=2))})
    assert planned(store).stream_ids == (1,)
    store.runs.settle("no run", result(1, "dead", at=NOW - timedelta(hours=1)))
    assert planned(store).skipped == {1: "fresh"}


def watched(stream_id: int = 1, *, hours: float = 2, minutes: float = 30, **fields: Any) -> Playback:
    """Return a playback that began some hours ago and lasted some minutes."""
    begin = NOW - timedelta(hours=hours)
    given = {"channel_id": 1, "url_hash": stream(stream_id).url_hash, "begun_at": begin}
    return Playback.model_validate(
        {"stream_id": stream_id, **given, "ended_at": begin + timedelta(minutes=minutes), **fields}
    )


def test_a_stream_that_people_watched_since_its_check_needs_no_connection(tmp_path: Path) -> None:
    # Both channels hold stream 1, which was watched in the first one.
    store = stored(tmp_path, {1: [1, 2], 2: [1, 3]})
    for one in (1, 2, 3):
        store.runs.settle("no run", result(one, at=NOW - timedelta(hours=30)))
    store.results.add_playbacks([watched()])
    run = planned(store)
    assert (sorted(run.stream_ids), run.skipped) == ([2, 3], {1: "fresh"})
    assert run.watched == {1: NOW - timedelta(hours=1.5)}
    assert sorted(planned(store, force=True).stream_ids) == [1, 2, 3]


@pytest.mark.parametrize(
    "playbacks",
    [
        [watched(minutes=9)],
        [watched(hours=40, minutes=60)],
        [watched(hours=30.1, minutes=15)],
        [watched(breaks=1)],
        [watched(), watched(hours=20, minutes=1, breaks=1)],
        [watched(url_hash="of its former address")],
        [watched(width=720, height=576)],
        [watched(video_codec="hevc")],
        [watched(hours=29, minutes=60)],
    ],
    ids=["too short", "before the check", "mostly before the check", "broken", "broken once", "another address",
         "another size", "another codec", "too long ago"],
)  # fmt: skip
def test_a_playback_that_proves_nothing_replaces_no_check(tmp_path: Path, playbacks: list[Playback]) -> None:
    store = stored(tmp_path, {1: [1]})
    store.runs.settle("no run", result(1, at=NOW - timedelta(hours=30)))
    store.results.add_playbacks(playbacks)
    run = planned(store)
    assert (run.stream_ids, run.watched) == ((1,), {})


def test_a_dead_stream_that_was_played_is_checked_at_once(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2]})
    for one in (1, 2):
        store.runs.settle("no run", result(one, "dead", at=NOW - timedelta(hours=3)))
    store.results.add_playbacks([watched(1)])
    assert planned(store).stream_ids == (1,)


def test_a_stream_that_was_never_checked_is_checked_although_it_was_played(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1]})
    store.results.add_playbacks([watched(1)])
    assert planned(store).stream_ids == (1,)


def test_streams_of_inactive_accounts_are_skipped_even_those_that_dispatcharr_hides(tmp_path: Path) -> None:
    accounts = [Account(id=1, name="one"), Account(id=2, name="two", is_active=False)]
    store = stored(tmp_path, {1: [1, 2, 77]}, accounts=accounts, streams=[stream(1), stream(2, account_id=2)])
    run = planned(store)
    assert run.stream_ids == (1,)
    assert run.skipped == {2: "account_inactive", 77: "account_inactive"}


def test_a_large_library_becomes_a_chain_of_bounded_runs_that_checks_each_stream_once(tmp_path: Path) -> None:
    store = stored(tmp_path, {c: range(c * 10, c * 10 + 7) for c in range(1, 8)})
    settings = Config(max_streams_per_run=20)
    seen: list[int] = []
    for number in range(10):
        run = planned(store, settings, force=True, since=NOW if number else None)
        assert len(run.stream_ids) <= 20
        for channel, checked in run.channels.items():
            assert len(checked) == 7, f"channel {channel} is torn apart"
        for stream_id in run.stream_ids:
            store.runs.settle("no run", result(stream_id, at=NOW + timedelta(seconds=1)))
        seen += run.stream_ids
        if not run.remaining:
            break
    assert sorted(seen) == sorted(i for c in range(1, 8) for i in range(c * 10, c * 10 + 7))


def test_new_and_changed_streams_come_first_then_failing_ones_then_those_checked_longest_ago(tmp_path: Path) -> None:
    store = stored(tmp_path, {c: [c * 10, c * 10 + 1] for c in range(1, 7)})
    days = {1: 2, 2: 4, 3: 3, 4: 2, 6: 3}
    for channel, age in days.items():
        for stream_id in (channel * 10, channel * 10 + 1):
            store.runs.settle("no run", result(stream_id, at=NOW - timedelta(days=age)))
    store.runs.settle("no run", result(50, at=NOW - timedelta(days=2)))
    store.runs.settle("no run", result(41, "dead", at=NOW - timedelta(days=2)))
    store.runs.settle("no run", result(61, at=NOW - timedelta(days=2), url_hash="of its former URL"))
    order = []
    while (run := planned(store, Config(max_streams_per_run=2), since=NOW)).stream_ids:
        order += list(run.channels)
        for stream_id in run.stream_ids:
            store.runs.settle("no run", result(stream_id))
    assert order == [5, 6, 4, 2, 3, 1]


def test_a_url_that_an_account_has_twice_is_probed_once_for_both_streams(tmp_path: Path) -> None:
    same = "http://provider.test/same.ts"
    accounts = [Account(id=1, name="one"), Account(id=2, name="two")]
    streams = [stream(1, url=same), stream(2, url=same), stream(3, account_id=2, url=same), stream(4, url=None)]
    store = stored(
        tmp_path, {1: [1, 4], 2: [2], 3: [3, 2, 5]}, accounts=accounts, streams=[*streams, stream(5, url=None)]
    )
    run = planned(store)
    assert sorted(run.stream_ids) == [1, 3, 4, 5]
    assert run.twins == {1: (2,)}
    assert (run.channels, run.remaining) == ({1: (1, 4), 2: (2,), 3: (3, 2, 5)}, 0)
    store.runs.open(run)
    assert store.runs.settle("run", result(1, url_hash=streams[0].url_hash)) == [2]
    assert store.results.latest(2) is not None
    again = planned(store)
    assert (sorted(again.stream_ids), again.skipped) == ([3, 4, 5], {1: "fresh", 2: "fresh"})


def test_only_the_first_run_of_a_chain_counts_the_skipped_streams(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2]})
    store.runs.settle("no run", result(1, at=NOW - timedelta(hours=1)))
    assert planned(store).skipped == {1: "fresh"}
    assert planned(store, since=NOW).skipped == {}


def test_a_plan_loads_no_more_streams_than_it_checks_when_nothing_was_checked_before(tmp_path: Path) -> None:
    class Counting:
        results = property(lambda self: store.results)
        library = property(lambda self: self)
        loaded = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(store.library, name)

        def streams(self, ids: Any) -> Any:
            found = store.library.streams(ids)
            self.loaded += len(found)
            return found

    store = stored(tmp_path, {c: range(c * 10, c * 10 + 5) for c in range(1, 101)})
    counting: Any = Counting()
    run = planned(counting, Config(max_streams_per_run=20), account_ids=[1])
    assert (len(run.stream_ids), run.remaining, counting.loaded) == (20, 480, 20)


def test_a_channel_larger_than_a_run_is_checked_in_parts(tmp_path: Path) -> None:
    run = planned(stored(tmp_path, {1: range(1, 31)}), Config(max_streams_per_run=20))
    assert (len(run.stream_ids), run.remaining) == (20, 10)


def test_streams_that_the_policy_removed_are_checked_again_with_their_channel(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1]}, streams=[stream(1), stream(2)])
    store.results.remember_dead({2: DeadMemory(failures=3, removed_from={1: 0})})
    assert planned(store).channels == {1: (1, 2)}


@pytest.mark.parametrize(
    ("mode", "enabled", "redis_up", "expected"),
    [
        ("auto", True, True, "concurrent"),
        ("auto", False, True, "sequential"),
        ("auto", True, False, "sequential"),
        ("concurrent", False, True, "concurrent"),
        ("concurrent", True, False, "sequential"),
        ("sequential", True, True, "sequential"),
    ],
)
def test_the_mode_is_routed_by_request_settings_and_redis(
    tmp_path: Path, mode: str, enabled: bool, redis_up: bool, expected: str
) -> None:
    settings = Config.model_validate({"concurrent_streams": {"enabled": enabled}})
    assert planned(stored(tmp_path, {1: [1]}), settings, redis_up=redis_up, mode=mode).mode == expected


def window(hours: float) -> dict[str, Any]:
    return {"until": NOW + timedelta(hours=hours)}


def test_nothing_is_planned_after_the_window_has_closed(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: [1, 2], 2: [3]})
    store.runs.settle("no run", result(3, at=NOW))
    run = planned(store, window=window(-1))
    assert (run.stream_ids, run.channels, run.remaining) == ((), {}, 0)
    assert run.skipped == {1: "window_closed", 2: "window_closed", 3: "fresh"}
    later = planned(store, window=window(-1), since=NOW - timedelta(hours=3))
    assert later.skipped == {1: "window_closed", 2: "window_closed"}
    assert planned(store, window=window(1)).stream_ids == (1, 2)


def test_nights_that_are_cut_off_get_through_the_library_in_turn(tmp_path: Path) -> None:
    channels = {channel: [channel * 10, channel * 10 + 1] for channel in range(1, 7)}
    store, settings = stored(tmp_path, channels), Config(max_streams_per_run=4)
    checked: list[list[int]] = []
    for night in range(6):
        now = NOW + timedelta(days=night)
        params = CheckParams.model_validate({"window": {"until": now + timedelta(hours=1)}})
        run = plan(store, settings, Request(f"night {night}", params, now))
        store.runs.open(run)
        # The window closes after one run of the chain, and before its last stream.
        for stream_id in run.stream_ids[:3]:
            verdict = "dead" if stream_id == 10 else "ok"
            store.runs.settle(run.run_id, result(stream_id, verdict, at=now, run_id=run.run_id))
        store.runs.skip(run.run_id, "window_closed")
        state = store.runs.state(run.run_id)
        assert state
        assert state.reasons == {"window_closed": 1}
        checked.append(sorted(run.stream_ids[:3]))
    # Four nights suffice for twelve streams, and a dead one goes before no other.
    assert {stream for night in checked[:4] for stream in night} == {one for some in channels.values() for one in some}
    assert len(store.results.history(10)) == 2
