from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streamflow.config import Config
from streamflow.lineup import changes
from streamflow.lineup.decisions import decide
from streamflow.lineup.plan import Plan, digest, plan, replacements
from streamflow.records import Account, Channel, DeadMemory, Decision, Group, Run, Stream
from streamflow.udi.ports import Store
from streamflow.udi.snapshot import Snapshot
from streamflow.udi.sqlite.store import FileStore
from support.edited_channels import EditedChannels
from support.library import result, stream

NEWS, SPORT = 1, 2
ACCOUNTS = [Account(id=1, name="North"), Account(id=2, name="South"), Account(id=3, name="Off", is_active=False)]


def named(id: int, name: str, account_id: int = 1, **fields: Any) -> Stream:
    return stream(id, account_id, name=name, **fields)


def made(folder: Path, streams: Iterable[Stream], *, news: tuple[int, ...] = (1,), hidden: bool = False) -> Store:
    store = FileStore(folder / "udi.db")
    channels = [
        Channel(id=NEWS, name="Alpha News", group_id=10, stream_ids=news, tvg_id="alpha.de", is_hidden=hidden),
        Channel(id=SPORT, name="Beta Sport", group_id=10, stream_ids=(2,)),
    ]
    known = [named(1, "Alpha News HD"), named(2, "Beta Sport"), *streams]
    store.publish(Snapshot(accounts=ACCOUNTS, groups=[Group(id=10, name="DE")], streams=known, channels=channels))
    return store


def planned(store: Store, **settings: Any) -> Plan:
    policies = settings.pop("policies", [])
    return plan(store, Config.model_validate({"matching": settings, "policies": policies}))


def pairs(found: Plan) -> list[tuple[int, int]]:
    return [(one.channel_id, one.stream_id) for one in found.additions]


def test_streams_find_their_channel_by_name_and_tvg_id(tmp_path: Path) -> None:
    store = made(tmp_path, [named(3, "ALPHA NEWS FHD", 2), named(4, "Alphanews", tvg_id="alpha.de"), named(5, "Gamma")])
    found = planned(store)
    assert sorted(pairs(found)) == [(NEWS, 3), (NEWS, 4)]
    assert all(one.why for one in found.additions)


@pytest.mark.parametrize("fields", [{"is_stale": True}, {"is_page": True}, {"account_id": 3}, {"url": None}])
def test_streams_that_cannot_be_watched_are_no_candidates(tmp_path: Path, fields: dict[str, Any]) -> None:
    assert pairs(planned(made(tmp_path, [named(3, "Alpha News", **fields)]))) == []


@pytest.mark.parametrize("state", ["rejected", "taken_out"])
def test_what_a_person_kept_out_stays_out_of_that_channel(tmp_path: Path, state: Any) -> None:
    store = made(tmp_path, [named(3, "Alpha News")])
    decide(store, {(NEWS, 3): Decision(state=state, at=datetime.now(UTC))})
    assert pairs(planned(store)) == []
    decide(store, {(NEWS, 3): None, (SPORT, 3): Decision(state=state, at=datetime.now(UTC))})
    assert pairs(planned(store)) == [(NEWS, 3)]


def test_a_rejected_stream_stays_out_under_another_id(tmp_path: Path) -> None:
    url = "http://provider.test/live/u/p/3.ts"
    store = made(tmp_path, [named(3, "Alpha News", url=url)])
    decide(store, {(NEWS, 3): Decision(state="rejected", at=datetime.now(UTC))})
    assert pairs(planned(made(tmp_path, [named(30, "Alpha News", url=url)]))) == []
    # Also when a refresh in between missed it.
    made(tmp_path, [])
    assert pairs(planned(made(tmp_path, [named(31, "Alpha News", url=url)]))) == []


def test_streams_that_the_policy_removed_or_that_are_dead_are_not_added(tmp_path: Path) -> None:
    store = made(tmp_path, [named(3, "Alpha News"), named(4, "Alpha News")])
    store.results.remember_dead({3: DeadMemory(failures=2, removed_from={NEWS: 1})})
    store.results.add([result(4, "dead", at=datetime.now(UTC) - timedelta(hours=21), reason="http_404")])
    assert pairs(planned(store)) == [(NEWS, 4)]
    store.results.add([result(4, "dead", at=datetime.now(UTC), reason="http_404")])
    assert pairs(planned(store)) == []


def test_bounds_and_policies_limit_the_streams_of_a_channel(tmp_path: Path) -> None:
    store = made(tmp_path, [named(id, "Alpha News", 1 + id % 2) for id in range(3, 9)])
    assert len(pairs(planned(store, most_per_channel=4))) == 3
    assert len(pairs(planned(store, most_per_account=1))) == 1
    assert len(pairs(planned(store, policies=[{"match": {"channels": ["Alpha*"]}, "max_streams": 2}]))) == 1
    assert pairs(planned(store, policies=[{"match": {"channels": ["Alpha*"]}, "check": False}])) == []


# -- channels without a working stream ------------------------------------------------------------
def die(store: Store, *streams: int, times: int = 2) -> None:
    store.results.add([result(id, "dead", at=datetime.now(UTC), reason="http_404") for id in streams])
    store.results.remember_dead({id: DeadMemory(failures=times) for id in streams})


def test_a_dead_channel_tries_candidates_and_removed_streams(tmp_path: Path) -> None:
    store = made(tmp_path, [named(3, "Alpha News", 2), named(4, "another name")])
    store.results.add([result(2)])
    die(store, 1)
    store.results.add([result(4, "dead", at=datetime.now(UTC) - timedelta(days=2), reason="http_404")])
    store.results.remember_dead({4: DeadMemory(failures=2, removed_from={NEWS: 1})})
    found = planned(store, dead_channels={"action": "replace"})
    assert (pairs(found), [trial.stream_id for trial in found.trials]) == ([], [4, 3])
    store.results.add([result(3, at=datetime.now(UTC)), result(4, "dead", at=datetime.now(UTC), reason="http_404")])
    assert [one.stream_id for one in replacements(store, found.trials)] == [3]


@pytest.mark.parametrize(
    ("alive", "times"),
    [
        # No stream of the account works: the provider may be down.
        (None, 2),
        (2, 1),
    ],
)
def test_an_uncertain_death_changes_nothing(tmp_path: Path, alive: int | None, times: int) -> None:
    store = made(tmp_path, [named(3, "Alpha News", 2)])
    die(store, 1, times=times)
    store.results.add([result(2) if alive else result(2, "dead", reason="no_data")])
    assert planned(store, dead_channels={"action": "hide"}).hide == []
    assert planned(store, dead_channels={"action": "replace"}).trials == []


def test_nothing_happens_while_a_run_checks_the_channel(tmp_path: Path) -> None:
    store = made(tmp_path, [])
    store.results.add([result(2)])
    die(store, 1)
    assert planned(store, dead_channels={"action": "hide"}).hide == [NEWS]
    run = Run(run_id="r", started_at=datetime.now(UTC), mode="concurrent", stream_ids=(1,), channels={NEWS: (1,)})
    store.runs.open(run)
    assert planned(store, dead_channels={"action": "hide"}).hide == []
    store.runs.close("r", {}, datetime.now(UTC))
    assert planned(store, dead_channels={"action": "hide"}).hide == [NEWS]


def test_a_hidden_channel_is_shown_when_a_stream_works_again(tmp_path: Path) -> None:
    store = made(tmp_path, [], hidden=True)
    die(store, 1)
    settings = {"dead_channels": {"action": "hide"}}
    # A person had hidden it.
    store.results.add([result(1, at=datetime.now(UTC) + timedelta(minutes=1)), result(2)])
    assert planned(store, **settings).show == []
    changes.set_hidden(store, EditedChannels({NEWS: (1,)}), NEWS, "run", hidden=True)
    assert planned(store, **settings).show == [NEWS]
    # Without the setting nothing would ever show it.
    store.results.add([result(1, "dead", at=datetime.now(UTC) + timedelta(minutes=2), reason="http_404")])
    assert planned(store, **settings).show == []
    assert planned(store).show == [NEWS]


def test_a_channel_that_a_person_shows_again_is_not_hidden_another_time(tmp_path: Path) -> None:
    store = made(tmp_path, [])
    store.results.add([result(2)])
    die(store, 1)
    changes.set_hidden(store, EditedChannels({NEWS: (1,)}), NEWS, "run", hidden=True)
    assert planned(store, dead_channels={"action": "hide"}).hide == []


def test_a_change_of_the_rules_changes_the_digest() -> None:
    def of(**matching: Any) -> str:
        return digest(Config.model_validate({"matching": matching}))

    assert of() == of(enabled=True, approve=False, refresh_providers=True)
    assert len({of(), of(rules=[{"by": ["name"]}]), of(most_per_channel=3), of(dead_channels={"action": "hide"})}) == 4
